"""训练途中给读者看的进度：轮内一条进度条，轮末一行文字。"""

import os

from torch import Tensor
from tqdm import tqdm

from deepcnn.data.dataset import Dataset
from deepcnn.live_kernel import is_watched
from deepcnn.records.runs import Run
from deepcnn.training.recipe import Recipe


def progress_bar(steps: int, run: Run, recipe: Recipe, data: Dataset) -> tqdm:
    """轮内的进度条：上一轮的损失与准确率、张/秒。

    它写到标准错误，所以没有人看的时候（逐格比较输出、自动执行笔记本）不画；
    ``DEEPCNN_PROGRESS=0`` 总不画，``1`` 总画。
    """
    wanted = os.environ.get('DEEPCNN_PROGRESS')
    bar = tqdm(
        desc=f'{data.name}  第 {len(run.train_loss) + 1}/{recipe.epochs} 轮',
        total=steps,
        unit='张',
        unit_scale=recipe.batch_size,
        leave=False,
        disable=wanted == '0' if wanted else not is_watched(),
    )
    if run.train_loss and not bar.disable:
        loss, accuracy = run.train_loss[-1], run.train_accuracy[-1]
        bar.set_postfix(上轮损失=f'{loss:.3f}', 上轮准确率=f'{accuracy:.3f}')
    return bar


def show_step(
    bar: tqdm, losses: Tensor, hits: Tensor, step: int, recipe: Recipe
) -> None:
    """推进进度条；在 CPU 上改写成本轮至今的损失与准确率（读 GPU 会打断它）。"""
    bar.update()
    if losses.device.type == 'cpu' and not bar.disable and step % 20 == 0:
        done = step + 1
        loss = losses[:done].mean().item()
        accuracy = hits[:done].sum().item() / (done * recipe.batch_size)
        bar.set_postfix(损失=f'{loss:.3f}', 准确率=f'{accuracy:.3f}')


def report_epoch(run: Run, epoch: int, recipe: Recipe, data: Dataset) -> None:
    """轮末的一行文字；每行都写数据集的名字。"""
    images = len(data.train) // recipe.batch_size * recipe.batch_size
    print(
        f'{data.name}  第 {epoch + 1}/{recipe.epochs} 轮  '
        f'损失 {run.train_loss[epoch]:.3f}  '
        f'训练准确率 {run.train_accuracy[epoch]:.3f}  '
        f'测试准确率 {run.test_accuracy[epoch]:.3f}  '
        f'{images / run.epoch_seconds[epoch]:,.0f} 张/秒'
    )
