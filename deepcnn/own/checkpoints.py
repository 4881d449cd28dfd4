"""长训练的断点：留最近的两份，一份残缺就用前一份。"""

from pathlib import Path

from deepcnn.own.sealed import Unreadable, flatten, restored, seal, unseal

KEPT = 2
PATTERN = 'step-*.safetensors'


class Checkpoints:
    """``folder`` 里的断点，名字里是走过的总步数。"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def found(self) -> list[Path]:
        """现有的断点，新的在前；列不出文件夹时抛出 OSError，不当作没有。"""
        try:
            every = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        return sorted((one for one in every if one.match(PATTERN)), reverse=True)

    def save(self, step: int, state: dict) -> None:
        """存一份，再删去多余的旧断点；写不下时抛出 OSError，旧的都在。"""
        seal(self.folder / f'step-{step:010d}.safetensors', *flatten(state))
        for old in self.found()[KEPT:]:
            old.unlink()

    def newest(self) -> tuple[dict | None, list[str]]:
        """最新的一份完好的状态（没有断点时是 None），与跳过的各份的说明。

        有断点而没有一份完好时抛出 ValueError；读不了（网络盘断了、没有权限）是 OSError。
        """
        damaged = []
        for path in self.found():
            try:
                tensors, value = unseal(path)
                return restored(tensors, value), damaged
            except (Unreadable, KeyError, TypeError) as error:
                damaged.append(f'断点 {path.name} 用不了（{error}）')
        if damaged:
            raise ValueError(
                f'{self.folder} 里的断点没有一份完好（{damaged[0]}）：请删去这个文件夹，仍用 '
                '--resume，照同样的设置从头训练'
            )
        return None, []
