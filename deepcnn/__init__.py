"""《深度卷积神经网络：从 AlexNet 到 DenseNet》的配套包。

各模块各管一件事：``data`` 读数据，``recipe`` 写训练配方，``train`` 训练，``history``
保存结果，``inspect`` 查看网络，``plot`` 画图，``explore`` 是交互的图，``d2l_bridge`` 与 d2l 对照；
``models/`` 由各章笔记本里带 ``export`` 标签的单元导出，不要手改。
"""

__version__ = '0.1.0'
