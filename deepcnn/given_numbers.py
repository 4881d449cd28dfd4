"""读者给的数：NumPy 的换成 Python 自己的，不合要求的马上用一行中文拒绝。"""

from collections.abc import Iterable
from math import inf, isfinite
from numbers import Real
from operator import index


def whole_number(name: str, value: object, least: int | None = 0) -> int:
    """``value`` 换成 Python 的整数；不是整数或小于 ``least`` 时抛出 ValueError，写明
    ``name``。NumPy 与 PyTorch 的整数也算；真假、小数（3.0 也是）与字符串不算。
    """
    try:
        found = None if is_switch(value) else index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        kind = {None: '整数', 1: '正整数'}.get(least, f'不小于 {least} 的整数')
        raise ValueError(f'{name} 要是{kind}，现在是 {value!r}')
    return found


def finite_number(name: str, value: object) -> float:
    """``value`` 换成 Python 的小数；不是有限的数时抛出 ValueError，写明 ``name``。"""
    number = isinstance(value, Real) and not is_switch(value)
    if not number or not isfinite(as_float(value)):
        raise ValueError(f'{name} 要是有限的数，现在是 {value!r}')
    return float(value)


def as_float(value: Real) -> float:
    """``value`` 换成 Python 的小数；大过双精度的整数是无穷。"""
    try:
        return float(value)
    except OverflowError:
        return inf


def finite_numbers(name: str, values: Iterable) -> tuple[float, ...]:
    """元组、列表或一维数组换成 Python 小数的元组；别的抛出 ValueError。"""
    if isinstance(values, str) or not hasattr(values, '__len__'):
        raise ValueError(f'{name} 要是几个数，例如 (0.5, 0.5, 0.5)，现在是 {values!r}')
    return tuple(finite_number(name, one) for one in values)


def is_switch(value: object) -> bool:
    """Python 与 NumPy 的真假：不当作 0 与 1。"""
    return type(value).__name__ in ('bool', 'bool_')
