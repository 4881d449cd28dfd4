"""看网络凭什么回答，先要两张图像：一张答对的，一张答错的。"""

import torch
from torch import nn

from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset
from deepcnn.training.evaluation import evaluating

TOGETHER = 200  # 一批几张


@torch.inference_mode()
def right_and_wrong(
    net: nn.Module, data: Dataset, image_size: int, images: int = 200
) -> list[int]:
    """两张测试图像的序号：第一张答对的，与答错的里面最犹豫的一张。

    只在前 ``images`` 张测试图像里找。最犹豫：答错了，而正确类别的概率是各张里最高的。
    网络与原来一样。全部答对或全部答错时抛出 ValueError。
    """
    few = data.first(None, images).test
    device = next(net.parameters()).device
    with evaluating(net):
        chances = torch.cat([
            net(prepare(part, image_size, data).to(device)).float().softmax(1).cpu()
            for part in few.images.split(TOGETHER)
        ])  # fmt: skip
    correct = chances.argmax(1) == few.labels
    if correct.all() or not correct.any():
        found = '全部答对' if correct.all() else '全部答错'
        raise ValueError(f'前 {len(few)} 张测试图像{found}，选不出一对一错：请多看几张')
    truth = chances.gather(1, few.labels[:, None])[:, 0]
    truth[correct] = -1
    return [int(correct.int().argmax()), int(truth.argmax())]
