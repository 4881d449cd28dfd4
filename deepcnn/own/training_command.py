"""``deepcnn train``：从一个图像文件夹到训练好的网络与报告。"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from deepcnn.models.registry import create
from deepcnn.own.feeding import Feed, FileImages
from deepcnn.own.fine_tuning import (
    adopt,
    read_origin,
    standard_for,
    trained_parameters,
    tuning_of,
)
from deepcnn.own.kept import BEST, LAST, KeptFacts, keep, load_kept
from deepcnn.own.long_run import (
    LongRun,
    Tuning,
    Watch,
    require_trainable,
    scores_of,
)
from deepcnn.own.material import Material, gather_material
from deepcnn.own.orders import Order, place_for, settle
from deepcnn.own.processes import Team, team_from_environment
from deepcnn.own.report import Judged, write_curves, write_report
from deepcnn.own.run_folder import RunFolder
from deepcnn.own.telling import Teller, duration
from deepcnn.records.provenance import library_versions
from deepcnn.records.runs import Run
from deepcnn.records.store import write_bytes, write_json
from deepcnn.training.hardware import choose_device, describe_device, resolve_precision
from deepcnn.training.recipe import Recipe

SAVE_EVERY = 600.0  # 秒


@dataclass(frozen=True)
class Outcome:
    """训练的结果：``folder`` 里有全部文件。"""

    folder: Path
    run: Run
    accuracy: float  # 最好的一轮的验证准确率
    best_epoch: int


def train_own(order: Order, teller: Teller | None = None) -> Outcome:
    """照 ``order`` 训练，写出文件夹，返回结果。

    读者可以改正的事都抛出 ValueError，一行中文；写不了文件时抛出 OSError；收到停下的信号时
    存好断点，抛出 Stopped。
    """
    teller = teller or Teller()
    if order.tensorboard and not importlib.util.find_spec('tensorboard'):
        raise ValueError(
            '没有安装 tensorboard：请先 pip install tensorboard，或去掉 --tensorboard'
        )
    device = choose_device(order.device)
    with team_from_environment(device.type == 'cuda') as team:
        device = team.device(device)
        teller.speaks = team.leads
        try:
            return _train(order, device, team, teller)
        finally:
            teller.end_bar()


def _train(order: Order, device: torch.device, team: Team, teller: Teller) -> Outcome:
    folder, order = place_for(order, team)
    try:
        return _trained(folder, order, device, team, teller)
    finally:
        folder.release()


def _trained(
    folder: RunFolder, order: Order, device: torch.device, team: Team, teller: Teller
) -> Outcome:
    resumed = folder.has_settings()
    if team.leads and resumed:
        folder.claim()
    with leader_first(team):
        material = gather_material(order, folder, device, teller)
        going_on = bool(folder.checkpoints.found())
        net, feed, tuning, notes = prepared(order, material, going_on)
        require_trainable(feed, material.settings.recipe, team)
        if team.leads and not resumed:
            standard = asdict(feed.standard)
            facts = {'class_names': list(feed.class_names), 'standard': standard}
            whole = replace(order, body_rate=tuning.body_rate)
            settle(
                folder, whole, material.settings, material.digest,
                facts | material.facts(),
            )  # fmt: skip
    announce(order, device, team, material, net, tuning, notes, teller)
    recipe = material.settings.recipe
    facts = KeptFacts(
        order.network, material.settings.channels, recipe.image_size, feed.class_names,
        feed.standard.mean, feed.standard.std, feed.standard.name, 0.0, 0,
        library_versions(), recipe.seeds[0], material.digest,
    )  # fmt: skip
    follower = Follower(folder, facts, teller, order.tensorboard)
    long_run = LongRun(
        net, feed, recipe, device, recipe.seeds[0], team, tuning, folder.checkpoints,
        SAVE_EVERY if order.save_every is None else order.save_every, follower,
        material.settings.augmentation,
    )  # fmt: skip
    run = long_run.train()
    teller.end_bar()
    place = long_run.place
    if team.leads:
        last = replace(facts, accuracy=run.test_accuracy[-1], epoch=recipe.epochs)
        keep(folder.path / LAST, net, last)
        judged = final_report(folder, run, feed, recipe, device)
        skipped = material.skipped + streaming_skips(feed)
        write_summary(folder, long_run, judged, skipped, device)
        conclude(folder, long_run, judged, teller)
    team.wait()
    return Outcome(folder.path, run, place.best_accuracy, place.best_epoch)


@contextmanager
def leader_first(team: Team) -> Iterator[None]:
    """0 号进程先做（写副本），别的等它做完再做（读副本）。"""
    if not team.leads:
        team.wait()
    yield
    if team.leads:
        team.wait()


def prepared(
    order: Order, material: Material, going_on: bool = False
) -> tuple[nn.Module, Feed, Tuning, list[str]]:
    """起始的网络，归一化换成出发的权重习惯的那一种，哪些层怎样动，与说明。

    有断点可以接（``going_on``）时，权重与归一化都有了，出发的权重不在了也行。
    """
    recipe, feed = material.settings.recipe, material.feed
    channels = material.settings.channels
    torch.manual_seed(recipe.seeds[0])
    net = create(order.network, channels, len(feed.class_names), recipe.image_size)
    notes: list[str] = []
    rate = 1.0
    if going_on and order.body_rate is not None:
        notes = ['权重取自断点']
    elif order.init is not None:
        origin = read_origin(order.network, order.init)
        notes, rate = adopt(net, origin), origin.body_rate
        feed = replace(feed, standard=standard_for(origin, channels))
    rate = rate if order.body_rate is None else order.body_rate
    return net, feed, tuning_of(net, str(order.freeze or 'none'), rate), notes


def announce(
    order: Order,
    device: torch.device,
    team: Team,
    material: Material,
    net: nn.Module,
    tuning: Tuning,
    notes: list[str],
    teller: Teller,
) -> None:
    """开始之前：数据、设置与理由。"""
    settings, feed = material.settings, material.feed
    many = f'，{team.size} 个进程' if team.size > 1 else ''
    precision = resolve_precision(settings.recipe, device)
    teller.say(f'设备：{describe_device(device)}，{precision}{many}')
    classes, train, test = len(feed.class_names), len(feed.train), len(feed.test)
    teller.say(
        f'数据：{feed.standard.name}，{classes} 类，训练 {train:,} 张，验证 {test:,} 张；'
        f'{material.split}'
    )
    if material.skipped:
        teller.warn(
            f'跳过 {len(material.skipped)} 张读不了的图像，例如 {material.skipped[0]}'
            '（全部见 skipped.txt；--strict 则拒绝）'
        )
    for name, reason in settings.reasons.items():
        teller.say(f'{name}：{reason}')
    if order.init:
        teller.say(f'出发：{order.init}；{"；".join(notes) or "全部照抄"}')
    if order.init or tuning.frozen:
        total, moving = trained_parameters(net, tuning)
        teller.say(
            f'训练 {total:,} 个参数里的 {moving:,} 个，输出头之外的学习率乘以 '
            f'{tuning.body_rate:g}'
        )
    teller.fact(
        'start', network=order.network, classes=classes, train=train, validation=test,
        skipped=len(material.skipped), recipe=settings.recipe.to_dict(),
    )  # fmt: skip


class Follower(Watch):
    """训练途中要做的：进度条、每轮一行、曲线的 CSV、最好的权重、TensorBoard。"""

    def __init__(
        self, folder: RunFolder, facts: KeptFacts, teller: Teller, tensorboard: bool
    ) -> None:
        self.folder, self.facts, self.teller = folder, facts, teller
        self.writer = None
        if tensorboard and teller.speaks:
            from torch.utils.tensorboard import SummaryWriter  # 另外安装的

            self.writer = SummaryWriter(str(folder.path / 'tensorboard'))

    def start(self, long_run: LongRun) -> None:
        for line in long_run.damaged:
            self.teller.warn(f'{line}，用前一份')
        if long_run.done_steps:
            epochs = len(long_run.run.test_accuracy)
            step = long_run.place.step
            self.teller.say(f'接着训练：前 {epochs} 轮与其后的 {step} 步此前已完成')

    def step(self, long_run: LongRun) -> None:
        teller = self.teller
        if teller.bar is None:
            total = long_run.steps * long_run.recipe.epochs
            teller.start_bar(total, '训练', long_run.done_steps - 1)
        teller.bar.update()

    def best(self, long_run: LongRun) -> None:
        place = long_run.place
        facts = replace(
            self.facts, accuracy=place.best_accuracy, epoch=place.best_epoch
        )
        keep(self.folder.path / BEST, long_run.net, facts)

    def epoch(self, long_run: LongRun) -> None:
        if not self.teller.speaks:
            return
        run, epochs = long_run.run, long_run.recipe.epochs
        write_curves(self.folder.path, run)
        number = len(run.test_accuracy)
        waiting = long_run.place.waiting_shares[-1]
        trained = long_run.steps * long_run.recipe.batch_size
        speed = trained / max(run.epoch_seconds[-1], 1e-9)
        left = run.seconds / number * (epochs - number)
        loss, own, held = (
            one[-1] for one in (run.train_loss, run.train_accuracy, run.test_accuracy)
        )
        self.teller.say(
            f'第 {number}/{epochs} 轮  损失 {loss:.3f}  训练 {own:.3f}  验证 {held:.3f}  '
            f'{speed:,.0f} 张/秒，等图像 {waiting:.0%}  还要约 {duration(left)}'
        )
        self.teller.fact(
            'epoch', epoch=number, loss=loss, train_accuracy=own, accuracy=held,
            images_per_second=round(speed, 1), waiting=round(waiting, 4),
        )  # fmt: skip
        if self.writer:
            curves = {'训练损失': loss, '训练准确率': own, '验证准确率': held}
            for name, value in curves.items():
                self.writer.add_scalar(name, value, number)
            self.writer.flush()


def final_report(
    folder: RunFolder, run: Run, feed: Feed, recipe: Recipe, device: torch.device
) -> Judged:
    """最好的一份权重在验证集上的结果，写成图与表。"""
    best, facts = load_kept(folder.path / BEST)
    best.to(device)
    rows = torch.arange(len(feed.test))
    scores, labels, kept = scores_of(best, feed.test, rows, feed, recipe, device)
    judged = Judged(scores.cpu(), labels.cpu(), feed.class_names)
    write_report(folder.path, facts.network, run, judged, feed.tested_on(kept))
    return judged


def streaming_skips(feed: Feed) -> list[str]:
    """边训练边解码时读不了的图像。"""
    parts = (one for one in (feed.train, feed.test) if isinstance(one, FileImages))
    return [line for part in parts for line in part.skipped()]


def write_summary(
    folder: RunFolder,
    long_run: LongRun,
    judged: Judged,
    skipped: list[str],
    device: torch.device,
) -> None:
    """report.json，有跳过的图像时还有 skipped.txt。"""
    if skipped:
        text = '\n'.join(skipped) + '\n'
        write_bytes(folder.path / 'skipped.txt', text.encode('utf-8'))
    place = long_run.place
    write_json(folder.path / 'report.json', {
        'accuracy': judged.accuracy, 'best_epoch': place.best_epoch,
        'per_class': judged.per_class(), 'skipped': len(skipped),
        'waiting_shares': place.waiting_shares, 'device': describe_device(device),
        'processes': long_run.team.size, 'run': vars(long_run.run),
    })  # fmt: skip


def conclude(
    folder: RunFolder, long_run: LongRun, judged: Judged, teller: Teller
) -> None:
    best, seconds = long_run.place.best_epoch, long_run.run.seconds
    teller.say(
        f'最好的是第 {best} 轮，验证准确率 {judged.accuracy:.1%}；用时 {duration(seconds)}'
    )
    teller.say(
        f'全部文件在 {folder.path}；认一张图像：deepcnn predict 图像 --model {folder.path}'
    )
    teller.fact(
        'end', folder=str(folder.path), accuracy=judged.accuracy, best_epoch=best,
        seconds=round(seconds, 2),
    )  # fmt: skip
