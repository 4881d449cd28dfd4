"""许多小图排在一个坐标系里；每张一个坐标系的话，画一百张要慢好几倍。"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from deepcnn.plot.style import SMALL

ONE_LINE, TWO_LINES = 0.24, 0.44  # 标题的高度，以特征图的格为单位，一行四五格


class Mosaic:
    """``rows`` × ``columns`` 个方格，从左到右、从上到下编号，从 0 开始。

    ``title_height`` 是每格上方留给标题的高度，``gap`` 是格与格之间的
    空隙，都以格的边长为单位；``title_size`` 是字号。
    """

    def __init__(
        self, axes: Axes, rows: int, columns: int,
        title_height: float = 0.0, title_size: float = SMALL, gap: float = 0.12,
    ) -> None:  # fmt: skip
        self.axes, self.columns, self.title_size = axes, columns, title_size
        self.pitch = 1 + gap, 1 + gap + title_height  # 横、竖方向上相邻两格的距离
        right, bottom = columns * self.pitch[0] - gap, rows * self.pitch[1] - gap
        top = -title_height
        axes.set(xlim=(0, right), ylim=(bottom + top, top), aspect='equal')
        axes.axis('off')

    def draw(
        self, index: int, image: np.ndarray, title: str = '', **colours: object
    ) -> AxesImage:
        """在第 ``index`` 格画 (H, W) 或彩色的 (H, W, 3) 的图，不方的图居中。

        ``colours`` 交给 imshow。
        """
        row, column = divmod(index, self.columns)
        x, y = column * self.pitch[0], row * self.pitch[1]
        height, width = (side / max(image.shape[:2]) for side in image.shape[:2])
        left, top = x + (1 - width) / 2, y + (1 - height) / 2
        extent = (left, left + width, top + height, top)
        if title:
            self.axes.annotate(
                title, (x + 0.5, y), (0, 3), textcoords='offset points',
                ha='center', va='bottom', fontsize=self.title_size,
            )  # fmt: skip
        return self.axes.imshow(image, extent=extent, **colours)

    def write(self, index: int, text: str) -> None:
        """在第 ``index`` 格的下面写几行字。"""
        row, column = divmod(index, self.columns)
        x, y = column * self.pitch[0] + 0.5, row * self.pitch[1] + 1
        self.axes.annotate(
            text, (x, y), (0, -5), textcoords='offset points', ha='center', va='top',
            fontsize=self.title_size,
        )  # fmt: skip
