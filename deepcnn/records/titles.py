"""各网络的代号与给读者看的名字；代号也是 results/ 里的文件名。"""

NETWORKS = ('alexnet', 'vgg11', 'nin', 'googlenet', 'resnet18', 'densenet')
TITLES = {
    'alexnet': 'AlexNet', 'vgg11': 'VGG-11（1/4 宽）', 'nin': 'NiN（末尾无 ReLU）',
    'googlenet': 'GoogLeNet', 'resnet18': 'ResNet-18', 'densenet': 'DenseNet',
    'vgg11-full': 'VGG-11（全宽）',
}  # fmt: skip
