"""交互的图：运行中的笔记本里有控件，静态页面上是同一幅图的初始状态。

同一个输出同时带有控件与图：JupyterLab 等界面选控件，网页、PDF 和 nbval 用图。控件里总是
PNG；存下的，没有图像的是 SVG（见 ``plot.formats``）。
存盘时 tools/book/record.py 去掉控件那一份，因为没有内核它只是一个空框。
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from deepcnn.anatomy import configurations, windows
from deepcnn.anatomy.choice import Choice, complete
from deepcnn.data.dataset import Dataset
from deepcnn.explore.channel_pages import channel_page, page_choices
from deepcnn.explore.figures import channel_figure, cost_figure, window_figure
from deepcnn.models.network import Network
from deepcnn.plot.formats import as_png, bundle, shown_size

WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'
MISSING = (
    '没有安装 ipywidgets，下面是静态的图：运行 pip install ipywidgets，'
    '重启内核，再运行这一格，就可以拖动控件'
)
Values = Mapping[str, object]


class Exploration:
    """一幅可以交互的图，放在单元的最后一行即可显示。

    ``choices(values)`` 返回当前可以选的各项，``draw(values)`` 返回图和一行说明。
    初始的选择不合法时，构造时就抛出 ValueError；拖动控件得到的不合法的组合则在
    图的上方写明原因，图留在上一个状态，再显示一次也是。
    """

    def __init__(
        self,
        choices: Callable[[Values], dict[str, Choice]],
        draw: Callable[[Values], tuple[Figure, str]],
        chosen: Values,
    ) -> None:
        self._choices, self._draw = choices, draw
        self.values = complete(choices(chosen), chosen)
        self.png, self.summary = self._render()
        self.controls: dict = {}
        self._panel = None
        if find_spec('ipywidgets'):
            self._build_panel(import_module('ipywidgets'))
        else:
            print(MISSING)

    def _render(self) -> tuple[bytes, str]:
        fig, summary = self._draw(self.values)
        self._drawn = self.values  # 画得出来的
        try:
            return as_png(fig), summary
        finally:
            plt.close(fig)  # 不关的话，笔记本会在单元末尾再显示一次

    def _stored(self) -> tuple[dict, dict]:
        """离开内核之后看到的图；显示时才画，拨动控件时不必等它。"""
        fig, _ = self._draw(self._drawn)
        try:
            return bundle(fig)
        finally:
            plt.close(fig)

    def _build_panel(self, widgets: ModuleType) -> None:
        self.picture = widgets.Image(value=self.png, format='png')
        self.picture.layout.width = f'{shown_size(self.png)["width"]}px'
        self.picture.layout.max_width = '100%'
        self.message = widgets.HTML()
        for name, choice in self._choices(self.values).items():
            control = _control(widgets, choice, self.values[name])
            control.observe(
                lambda change, name=name: self._change(name, change.new), 'value'
            )
            self.controls[name] = control
        layout = widgets.Layout(flex_flow='row wrap')
        bar = widgets.Box(list(self.controls.values()), layout=layout)
        self._panel = widgets.VBox([bar, self.message, self.picture])

    def _change(self, name: str, value: object) -> None:
        if self.values[name] == value:
            return
        self.values = {**self.values, name: value}
        self._refresh_options()
        try:
            self.png, self.summary = self._render()
        except ValueError as error:
            self.message.value = f'<span style="color:#B00020">{error}</span>'
        else:
            self.message.value = ''
            self.picture.value = self.png

    def _refresh_options(self) -> None:
        """换了阶段，页数就变了：更新选项，原来的选择不在其中时取最接近末尾的。"""
        for name, choice in self._choices(self.values).items():
            control, options = self.controls[name], tuple(choice.options)
            if tuple(value for _, value in control.options) == options:
                continue
            kept = self.values[name] if self.values[name] in options else options[-1]
            self.values = {**self.values, name: kept}
            with control.hold_trait_notifications():
                control.options = _labelled(options)
                control.value = kept

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict]:
        drawn, metadata = self._stored()
        shown: dict[str, object] = {'text/plain': self.summary, **drawn}
        if self._panel is not None:
            shown[WIDGET_VIEW] = {
                'version_major': 2,
                'version_minor': 0,
                'model_id': self._panel.model_id,
            }
        return shown, metadata

    def __repr__(self) -> str:
        return self.summary


def _labelled(options: tuple) -> list[tuple[str, object]]:
    return [(_text(option), option) for option in options]


def _text(option: object) -> str:
    if isinstance(option, bool):
        return '是' if option else '否'
    if isinstance(option, tuple):
        return '、'.join(map(str, option))
    return str(option)


def _control(widgets: ModuleType, choice: Choice, value: object) -> object:
    """数用滑块，其余用下拉框；松开滑块才重画，免得积压。"""
    numbers = all(type(option) in (int, float) for option in choice.options)
    kind = widgets.SelectionSlider if numbers else widgets.Dropdown
    extra = {'continuous_update': False} if numbers else {}
    return kind(
        options=_labelled(tuple(choice.options)),
        value=value,
        description=choice.label,
        style={'description_width': '6em'},
        **extra,
    )


def explore_window(**chosen: int) -> Exploration:
    """拖动输入边长、窗口、步幅、填充和层数，看输出边长与感受野。

    各层相同；可以给的名字与范围见 ``deepcnn.anatomy.windows.CHOICES``，不合法时抛出 ValueError。
    """

    def draw(values: Values) -> tuple[Figure, str]:
        image_size, layers = windows.repeated(**values)
        view = windows.view_layers(image_size, layers)[-1]
        summary = (
            f'输入边长 {image_size}，{len(layers)} 层：'
            f'输出边长 {view.size}，感受野 {view.receptive_field}'
        )
        return window_figure(image_size, layers), summary

    return Exploration(lambda values: windows.CHOICES, draw, chosen)


def explore_configuration(network: str, **chosen: object) -> Exploration:
    """改变 ``network`` 的配置，看参数、乘加次数与训练一步的内存。

    网络与各项见 ``deepcnn.anatomy.configurations.CONFIGURABLE``；不合法时抛出 ValueError。
    """
    choices = configurations.choices_of(network)
    usual = configurations.cost_of(network)

    def draw(values: Values) -> tuple[Figure, str]:
        cost = configurations.cost_of(network, **values)
        return cost_figure(cost, usual), cost.summary()

    return Exploration(lambda values: choices, draw, chosen)


def explore_feature_maps(
    net: Network,
    data: Dataset,
    image_size: int,
    provenance: str = '',
    **chosen: object,
) -> Exploration:
    """选测试图像、阶段、通道（翻页）与色标，看特征图。

    ``chosen`` 可以给 ``image``、``stage``、``page``、``scale`` 的初值；不合法，或
    ``image_size`` 不合网络的要求时，抛出 ValueError。``provenance`` 写在图下。
    """

    @cache
    def channels(stage: str) -> int:
        return channel_page(net, data, image_size, stage=stage).total

    def choices(values: Values) -> dict[str, Choice]:
        stage = values.get('stage', 'stem')
        return page_choices(net, data, channels(stage))

    def draw(values: Values) -> tuple[Figure, str]:
        page = channel_page(net, data, image_size, **values)
        return channel_figure(page, values['scale'], provenance), page.summary()

    return Exploration(choices, draw, chosen)
