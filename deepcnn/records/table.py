"""在笔记本里显示为表格的小数据。"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """表头与各行；第一列左对齐，其余右对齐，整数每三位加逗号。

    某一行的格数与表头不同时抛出 ValueError。
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headers):
                raise ValueError(
                    f'表头有 {len(self.headers)} 格，这一行却有 {len(row)} 格：{row}'
                )

    def _repr_markdown_(self) -> str:
        line = ['|:--', *['|--:'] * (len(self.headers) - 1), '|']
        body = [_joined(map(_shown, row)) for row in self.rows]
        return '\n'.join([_joined(self.headers), ''.join(line), *body])

    def __repr__(self) -> str:
        return self._repr_markdown_()


def _joined(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _shown(value: str | int) -> str:
    return f'{value:,}' if isinstance(value, int) else value
