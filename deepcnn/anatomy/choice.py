"""一个可以选的量：名字、合法的值、默认值。"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """``label`` 给读者看；``options`` 是全部合法的值，连续的整数写成 ``range``。"""

    label: str
    options: tuple | range
    default: object

    def __post_init__(self) -> None:
        self.require('default', self.default)

    def require(self, name: str, value: object) -> object:
        """返回 ``options`` 里与 ``value`` 相等的；没有时抛出 ValueError，并列出合法的值。

        NumPy 的数与数组、列表也可以。
        """
        value = value.tolist() if hasattr(value, 'tolist') else value
        value = tuple(value) if isinstance(value, list) else value
        for option in self.options:
            # 0.5 与 1/2、True 与 1 相等，所以同时比较类型，免得开关被当成整数。
            if value == option and isinstance(value, bool) == isinstance(option, bool):
                return option
        raise ValueError(
            f'{name}（{self.label}）不能是 {value!r}：可以用 {self._legal()}'
        )

    def _legal(self) -> str:
        if isinstance(self.options, range) and self.options.step == 1:
            return f'{self.options[0]}～{self.options[-1]} 的整数'
        return '、'.join(map(repr, self.options))


def complete(choices: Mapping[str, Choice], given: Mapping[str, object]) -> dict:
    """用默认值补全 ``given``；名字或值不合法时抛出 ValueError，并列出合法的。"""
    accepted = {}
    for name, value in given.items():
        if name not in choices:
            raise ValueError(f'没有 {name!r} 这一项：可以改的是 {"、".join(choices)}')
        accepted[name] = choices[name].require(name, value)
    return {name: choice.default for name, choice in choices.items()} | accepted
