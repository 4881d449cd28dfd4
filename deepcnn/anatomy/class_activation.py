"""类激活图：末尾是全局平均池化的网络，凭图像的哪些地方认出一类（Zhou 等，2016）。"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.models.network import Network
from deepcnn.training.evaluation import evaluating


@dataclass(frozen=True)
class ClassActivation:
    """``values`` (h, w) 是各处给 ``label`` 的分；它们的平均加 ``bias`` 正是那一类的得分。"""

    label: int
    values: Tensor
    bias: float

    @property
    def score(self) -> float:
        """网络给 ``label`` 的得分，softmax 之前。"""
        return self.values.mean().item() + self.bias

    def resized(self, height: int, width: int | None = None) -> Tensor:
        """双线性放大到图像的大小，(height, width)；``width`` 不给时是方的。"""
        size = (height, height if width is None else width)
        return F.interpolate(self.values[None, None], size, mode='bilinear')[0, 0]


@torch.inference_mode()
def class_activation(
    net: Network, X: Tensor, label: int | None = None
) -> ClassActivation:
    """一张图像 X (1, C, S, S) 的类激活图；``label`` 不给时是网络自己的答案。

    全局平均池化之后只有一个全连接层时，得分是各通道平均值的加权和；先加权、后平均，
    结果一样，而加权之后还看得出每一处贡献多少。NiN 的池化之后什么也没有，池化之前的
    那个通道本身就是。网络与原来一样。

    不是一张图像、没有这个类别，或网络末尾不是这样（AlexNet、VGG）时抛出 ValueError。
    """
    if X.dim() != 4:
        raise ValueError(
            f'图像应是一张 (1, C, S, S)，现在是 {tuple(X.shape)}：请用 X[:1]，不用 X[0]'
        )
    if len(X) != 1:
        raise ValueError(f'一次只看一张图像，现在有 {len(X)} 张：请用 X[:1]')
    X = X.to(next(net.parameters()).device)
    before, linear = split_head(net)
    with evaluating(net):
        features = before(net.stages(net.stem(X)))[0]
        scores = net(X)[0]
    label = int(scores.argmax()) if label is None else label
    if not 0 <= label < len(scores):
        raise ValueError(f'没有类别 {label}：编号是 0～{len(scores) - 1}')
    if linear is None:
        return ClassActivation(label, features[label].cpu(), 0.0)
    values = torch.einsum('c,chw->hw', linear.weight[label], features)
    bias = 0.0 if linear.bias is None else linear.bias[label].item()
    return ClassActivation(label, values.cpu(), bias)


def split_head(net: Network) -> tuple[nn.Sequential, nn.Linear | None]:
    """输出头里全局平均池化之前的层，与之后的全连接层（没有时是 None）。"""
    layers = [*net.head]
    pool = [isinstance(one, nn.AdaptiveAvgPool2d) for one in layers]
    at = pool.index(True) if any(pool) else len(layers)
    after = [
        one for one in layers[at + 1 :] if not isinstance(one, nn.Flatten | nn.Dropout)
    ]
    plain = not after or (len(after) == 1 and isinstance(after[0], nn.Linear))
    if at == len(layers) or layers[at].output_size not in (1, (1, 1)) or not plain:
        raise ValueError(
            f'{net.name} 的末尾不是全局平均池化加至多一个全连接层，没有类激活图：'
            '可以用 NiN、GoogLeNet、ResNet、DenseNet'
        )
    return nn.Sequential(*layers[:at]), after[0] if after else None
