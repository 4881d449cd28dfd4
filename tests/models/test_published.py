"""torchvision 公布的数读得对，写错名字会得到一句说明。"""

import pytest
from torch import nn
from torchvision import models

from deepcnn.anatomy.layers import count_parameters
from deepcnn.models.published import published


@pytest.mark.parametrize(
    ('name', 'build'),
    [('ResNet18', models.resnet18), ('DenseNet121', models.densenet121)],
)
def test_parameters_are_those_of_the_model(name: str, build: type[nn.Module]) -> None:
    assert published(name).parameters == count_parameters(build())


def test_accuracy_is_in_percent_and_macs_in_billions() -> None:
    found = published('ResNet50')
    assert 70 < found.top1 < 80
    assert 4 < found.gmacs < 4.2  # 论文的表 1：3.8×10⁹，步幅在 3×3 上的 v1.5 略多


def test_first_weights_are_read_not_the_later_ones() -> None:
    later = models.ResNet50_Weights.IMAGENET1K_V2.meta['_metrics']['ImageNet-1K']
    assert published('ResNet50').top1 < later['acc@1'] - 3


@pytest.mark.parametrize('name', ['resnet18', 'ViT_H_14'])  # 后者只有后来的权重
def test_unknown_model_is_refused_with_the_legal_names(name: str) -> None:
    with pytest.raises(ValueError, match=f'没有模型 .{name}.*ResNet18、') as refused:
        published(name)
    assert 'ViT_H_14、' not in str(refused.value)
