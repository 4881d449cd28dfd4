"""《深度卷积神经网络：从 AlexNet 到 DenseNet》的配套包。

每个文件夹管一类事，后面的可以用前面的：``records`` 训练记录与统计，``data`` 数据与小批量，
``training`` 训练，``models`` 六个网络（由各章笔记本里带 ``export`` 标签的单元导出，不要手改），
``anatomy`` 查看网络，``plot`` 画图，``explore`` 交互的图，``own`` 读者自己的图像；``d2l_bridge`` 与
d2l 对照。命令行是 ``python -m deepcnn``；``deepcnn.export_page(net, 路径)`` 把一个网络写成网页
打得开的文件。
"""

__version__ = '0.1.0'


def __getattr__(name: str) -> object:
    """``export_page`` 用到时才导入：构建网站的环境里没有 PyTorch。"""
    if name == 'export_page':
        from deepcnn.anatomy.page_file import export_page

        return export_page
    raise AttributeError(f'模块 deepcnn 里没有 {name}')
