"""各网络的代号与显示的名字：页面与表格都用这一份，次序是各章的次序。"""

TITLES = {
    'alexnet': 'AlexNet', 'vgg11': 'VGG-11（1/4 宽）', 'nin': 'NiN（末尾无 ReLU）',
    'googlenet': 'GoogLeNet', 'resnet18': 'ResNet-18', 'densenet': 'DenseNet',
}  # fmt: skip
NETWORKS = tuple(TITLES)
# 基准测试另测一个没有缩窄的 VGG。
BENCHMARKED = TITLES | {'vgg11-full': 'VGG-11（全宽）'}
