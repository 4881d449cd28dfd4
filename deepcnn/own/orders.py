"""读者要的一次训练，与它的文件夹：新的，或接着上次的。"""

import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from deepcnn.data.image_folders import shown
from deepcnn.own.defaults import Given, Settings
from deepcnn.own.fine_tuning import TORCHVISION
from deepcnn.own.processes import Team
from deepcnn.own.run_folder import RunFolder
from deepcnn.records.provenance import library_versions

FASHION = 'fashion_mnist'
# 接着训练时可以换的
PASSING = ('out', 'resume', 'device', 'threads', 'cache', 'save_every', 'tensorboard')


@dataclass(frozen=True)
class Order:
    """各项与命令行的选项同名；None 是没有给，由数据定。"""

    network: str | None = None
    data: str | None = None
    out: str | None = None
    resume: bool = False
    epochs: int | None = None
    side: int | None = None
    channels: int | None = None
    batch: int | None = None
    lr: float | None = None
    optimizer: str | None = None
    precision: str | None = None
    no_flip: bool | None = None
    shift: int | None = None
    crop: float | None = None
    jitter: float | None = None
    seed: int | None = None
    init: str | None = None
    freeze: str | int | None = None
    body_rate: float | None = None
    strict: bool | None = None
    device: str | None = None
    threads: int | None = None
    cache: str | None = None
    save_every: float | None = None
    tensorboard: bool = False

    def lasting(self) -> dict:
        """接着训练时不许变的几项里，给了的。"""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in PASSING and value is not None
        }

    def given(self) -> Given:
        """由数据来定的几项里，给了的。"""
        return Given(
            self.side, self.channels, self.batch, self.epochs, self.lr,
            not self.no_flip, self.shift, self.crop, self.jitter, self.seed or 0,
            self.optimizer, self.precision or 'auto',
        )  # fmt: skip


def place_for(order: Order, team: Team) -> tuple[RunFolder, Order]:
    """训练的文件夹，与补上了上次的设置的 ``order``；不清楚要什么时抛出 ValueError。"""
    if team.size > 1 and order.out is None:
        raise ValueError('用 torchrun 时请用 --out 指定文件夹：重启之后才找得到断点')
    if order.resume and order.out is None:
        raise ValueError('--resume 要与 --out 一起用：接着训练哪个文件夹里的')
    for name in ('out', 'cache'):
        require_text(name, getattr(order, name))
    folder = RunFolder(Path(order.out)) if order.out else None
    again = folder is not None and (order.resume or team.restarts > 0)
    if again and folder.has_settings():
        return folder, _as_before(order, folder)
    if order.network is None or order.data is None:
        if again:
            folder.settings()  # 没有上次的设置：它来说明
        raise ValueError(
            '请写出网络与数据，例如 deepcnn train resnet18 --data 图像文件夹'
        )
    if not team.leads or (again and folder.is_unstarted()):
        return folder, order
    title = FASHION if order.data == FASHION else shown(Path(order.data).resolve().name)
    return RunFolder.new(folder and folder.path, order.network, title), order


def require_text(name: str, path: str | None) -> None:
    """safetensors 只读名字是 UTF-8 的文件：写之前就说。"""
    try:
        str(path).encode('utf-8')
    except UnicodeEncodeError:
        raise ValueError(
            f'--{name} 的名字 {shown(path)} 不是 UTF-8 写的：请换一个名字'
        ) from None


def _as_before(order: Order, folder: RunFolder) -> Order:
    """上次的设置；这次另给的与它不同时抛出 ValueError。"""
    known = {one.name for one in fields(Order)}
    before = {
        name: value
        for name, value in folder.settings()['order'].items()
        if name in known
    }
    last = settled(Order(**before))  # 从前的 init 不是完整的路径
    now = settled(order)
    for name in order.lasting():
        if getattr(now, name) != getattr(last, name):
            told = f'{getattr(now, name)}，上次是 {before.get(name, "没有给")}'
            raise ValueError(
                f'{name} 这次是 {told}：接着训练不能改，请照上次的写（或不写），或换一个 --out'
            )
    return replace(last, **{name: getattr(order, name) for name in PASSING})


def settled(order: Order) -> Order:
    """数据与出发的权重换成完整的路径：换一个文件夹运行，也找得到。冻结几个阶段写成文字。"""
    data, init = (
        given if given in (None, keyword) else os.path.abspath(given)
        for given, keyword in ((order.data, FASHION), (order.init, TORCHVISION))
    )
    freeze = None if order.freeze is None else str(order.freeze)
    return replace(order, data=data, init=init, freeze=freeze)


def settle(
    folder: RunFolder, order: Order, settings: Settings, digest: str, facts: dict
) -> None:
    """建好文件夹，占着它，写下设置；解码的时候别的训练用了它，就抛出 ValueError。"""
    folder.claim()
    folder.require_new()
    recipe = settings.recipe
    whole = replace(
        settled(order), side=recipe.image_size,
        channels=settings.channels, batch=recipe.batch_size, epochs=recipe.epochs,
        lr=recipe.lr, shift=recipe.shift, crop=settings.augmentation.crop,
        jitter=settings.augmentation.jitter, seed=recipe.seeds[0],
        optimizer=recipe.optimizer, precision=recipe.precision,
        freeze=settled(order).freeze or 'none',
    )  # fmt: skip
    folder.write_settings({
        'order': whole.lasting(), 'recipe': recipe.to_dict(), 'data_digest': digest,
        'versions': library_versions(), **facts,
    })  # fmt: skip
