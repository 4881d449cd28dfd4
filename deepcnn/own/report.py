"""训练之后的报告：曲线、混淆矩阵、错得最厉害的图像，与它们的数。"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unicodedata import east_asian_width

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deepcnn.data.image_folders import shown
from deepcnn.own.feeding import Feed
from deepcnn.plot.chinese_font import keep_legible
from deepcnn.plot.formats import as_png, as_svg
from deepcnn.plot.images import show_images
from deepcnn.plot.inline_backend import draw_without_windows
from deepcnn.plot.style import WIDTH, use_book_style
from deepcnn.records.runs import Run
from deepcnn.records.store import write_bytes

WORST = 16
LONGEST = 16  # 图里的类别名至多多宽，汉字算 2
MOST_NAMED = 30  # 类别再多，混淆矩阵里就写不下名字


@dataclass(frozen=True)
class Judged:
    """验证集上的结果：概率 float (N, K)，标签 int64 (N,)，都在 CPU 上。"""

    scores: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    @property
    def answers(self) -> Tensor:
        return self.scores.argmax(1)

    @property
    def accuracy(self) -> float:
        return (self.answers == self.labels).double().mean().item()

    def confusion(self) -> Tensor:
        """int64 (K, K)：行是真的类别，列是预测的。"""
        size = len(self.class_names)
        cells = self.labels * size + self.answers
        return torch.bincount(cells, minlength=size * size).view(size, size)

    def per_class(self) -> dict[str, float | None]:
        """每一类的准确率（召回率）；验证集里没有的类别是 None。"""
        table = self.confusion()
        return {
            name: int(table[label, label]) / count
            if (count := int(table[label].sum()))
            else None
            for label, name in enumerate(self.class_names)
        }

    def worst(self) -> list[int]:
        """错了的里面，给真的类别概率最小的 ``WORST`` 张，最差的在前。"""
        own = self.scores.gather(1, self.labels[:, None])[:, 0]
        wrong = (self.answers != self.labels).nonzero()[:, 0]
        return wrong[own[wrong].argsort(stable=True)][:WORST].tolist()


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """写成 CSV；开头的字节使 Excel 认得出 UTF-8。"""
    text = StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return write_bytes(path, b'\xef\xbb\xbf' + text.getvalue().encode('utf-8'))


def write_curves(folder: Path, run: Run) -> None:
    """每轮一行的 CSV。"""
    head = ('轮', '训练损失', '训练准确率', '验证准确率', '训练秒数')
    rows = zip(
        run.train_loss, run.train_accuracy, run.test_accuracy, run.epoch_seconds,
        strict=True,
    )  # fmt: skip
    numbered = ((n, *map(_short, row)) for n, row in enumerate(rows, 1))
    write_table(folder / 'curves.csv', [head, *numbered])


def _short(value: float) -> str:
    return f'{value:.6g}'


def write_report(
    folder: Path, title: str, run: Run | None, judged: Judged, feed: Feed
) -> None:
    """写出曲线（有 ``run`` 时）、混淆矩阵与最厉害的错误；后两样各有 CSV。"""
    draw_without_windows()
    use_book_style()
    if run is not None:
        write_curves(folder, run)
        save_figure(folder / 'curves', curves(title, run))
    save_figure(folder / 'confusion', confusion_figure(title, judged))
    names = judged.class_names
    table = judged.confusion().tolist()
    rows = [(name, *row) for name, row in zip(names, table, strict=True)]
    write_table(folder / 'confusion.csv', [('真＼预测', *names), *rows])
    worst = judged.worst()
    write_table(folder / 'mistakes.csv', mistakes(worst, judged, feed.test_files))
    if worst:
        save_figure(folder / 'worst', worst_figure(worst, judged, feed))


def mistakes(
    worst: Sequence[int], judged: Judged, files: Sequence[str]
) -> list[tuple[object, ...]]:
    """最厉害的错误的表，第一行是表头。"""
    rows: list[tuple[object, ...]] = [
        ('图像', '真的类别', '预测', '预测的概率', '真的类别的概率')
    ]
    for number in worst:
        label, answer = int(judged.labels[number]), int(judged.answers[number])
        chances = judged.scores[number]
        rows.append((
            shown(files[number]) if files else number,
            judged.class_names[label], judged.class_names[answer],
            _short(chances[answer].item()), _short(chances[label].item()),
        ))  # fmt: skip
    return rows


def save_figure(stem: Path, fig: Figure) -> None:
    """``stem`` 加上 .svg 与 .png。"""
    keep_legible(fig)
    write_bytes(stem.with_suffix('.svg'), as_svg(fig).encode('utf-8'))
    write_bytes(stem.with_suffix('.png'), as_png(fig))
    plt.close(fig)


def curves(title: str, run: Run) -> Figure:
    """上：训练损失；下：训练与验证准确率。"""
    fig, (upper, lower) = plt.subplots(
        2, 1, figsize=(WIDTH, 5.6), sharex=True, layout='constrained'
    )
    epochs = range(1, len(run.train_loss) + 1)
    upper.plot(epochs, run.train_loss, marker='o', markersize=3)
    lower.plot(epochs, run.train_accuracy, marker='o', markersize=3, label='训练')
    lower.plot(epochs, run.test_accuracy, marker='s', markersize=3, label='验证')
    upper.set(ylabel='训练损失', title=title)
    lower.set(xlabel='轮', ylabel='准确率')
    lower.xaxis.get_major_locator().set_params(integer=True)
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    lower.legend(loc='lower right')
    return fig


def confusion_figure(title: str, judged: Judged) -> Figure:
    """行是真的类别，列是预测的；颜色是这一行里的比例，格子里是张数。"""
    table = judged.confusion()
    share = table / table.sum(1, keepdim=True).clamp(min=1)
    size = len(judged.class_names)
    side = min(12.0, 2.2 + 0.42 * size)
    fig, axes = plt.subplots(figsize=(side, side), layout='constrained')
    axes.imshow(share.numpy(), cmap='Blues', vmin=0, vmax=1)
    axes.set(xlabel='预测', ylabel='真的类别', title=title)
    if size <= MOST_NAMED:
        names = short_names(judged.class_names)
        axes.set_xticks(range(size), names, rotation=90)
        axes.set_yticks(range(size), names)
        for row, column in table.nonzero().tolist():
            dark = share[row, column] > 0.5
            axes.text(
                column, row, str(int(table[row, column])), ha='center', va='center',
                color='white' if dark else 'black',
            )  # fmt: skip
    return fig


def worst_figure(worst: Sequence[int], judged: Judged, feed: Feed) -> Figure:
    """错得最厉害的图像，上方写「真的 → 预测」。"""
    [(images, _)] = feed.test.batches([torch.tensor(worst)])
    names = short_names(judged.class_names)
    titles = [
        f'{names[int(judged.labels[n])]} → {names[int(judged.answers[n])]}'
        for n in worst
    ]
    return show_images(images.cpu(), titles, '真的类别 → 预测')


def short_names(names: Sequence[str]) -> list[str]:
    """图里的类别名：不太长，不当作公式；截短之后相同的添上是第几类。"""
    short = [_clipped(name) for name in names]
    count = Counter(short)
    return [
        (name if count[name] == 1 else f'{name}{number}').replace('$', r'\$')
        for number, name in enumerate(short, 1)
    ]


def _clipped(name: str) -> str:
    wide = [1 + (east_asian_width(one) in 'WF') for one in name]
    if sum(wide) <= LONGEST:
        return name
    kept = next(n for n in range(len(name), -1, -1) if sum(wide[:n]) <= LONGEST)
    return f'{name[:kept]}…'
