"""网络的代码有没有变：两个网络的文字相同，说明每个模块执行的是同样的代码。

``str(net)`` 只列出层，看不见 ``forward``。这里取各个类与模块自己的函数的字节码，连同它们
用到的全局函数、常量和闭包；注释、文档字符串与行号不算。
"""

from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType

from torch import nn

# 这些包的代码由它们的版本号代表，不再往里看。
FOREIGN = ('torch.', 'torchvision.', 'numpy.', 'builtins')
SIMPLE = (int, float, complex, str, bytes, bool, type(None), tuple, list, dict)


def code_of(net: nn.Module) -> str:
    """返回代表 ``net`` 的全部代码与设置（不含权重）的文字。"""
    seen: set[int] = set()
    return '\n'.join(
        line
        for name, module in net.named_modules()
        for line in (f'{name} {module}', *_module_lines(module, seen))
    )


def _module_lines(module: nn.Module, seen: set[int]) -> Iterator[str]:
    for kind in type(module).__mro__:
        if not _is_foreign(kind.__module__) and kind is not object:
            for name, value in sorted(vars(kind).items()):
                yield from _value_lines(f'{kind.__qualname__}.{name}', value, seen)
    for name, value in sorted(vars(module).items()):
        if name not in ('_parameters', '_buffers', '_modules', 'training'):
            yield from _value_lines(name, value, seen)


def _value_lines(name: str, value: object, seen: set[int]) -> Iterator[str]:
    """一个属性、全局名字或闭包变量；看不懂的对象只写类型。"""
    if isinstance(value, partial):
        yield from _value_lines(f'{name}.partial', value.func, seen)
        yield from _value_lines(f'{name}.args', (value.args, value.keywords), seen)
    elif isinstance(value, (staticmethod, classmethod, MethodType)):
        yield from _value_lines(name, value.__func__, seen)
    elif isinstance(value, property):
        yield from _value_lines(name, value.fget, seen)
    elif isinstance(value, FunctionType) and not _is_foreign(value.__module__):
        yield from _function_lines(name, value, seen)
    elif isinstance(value, dict) and name.endswith('_hooks'):
        for hook in value.values():
            yield from _value_lines(name, hook, seen)
    elif isinstance(value, SIMPLE) and not name.split('.')[-1].startswith('__'):
        yield f'{name} = {value!r}' if _is_plain(value) else f'{name}: {type(value)}'
    elif callable(value):
        yield f'{name} → {getattr(value, "__qualname__", type(value))}'


def _function_lines(name: str, function: FunctionType, seen: set[int]) -> Iterator[str]:
    if id(function) in seen:
        return
    seen.add(id(function))
    code = function.__code__
    yield f'{name}: {_code_text(code)} {function.__defaults__} {function.__kwdefaults__}'
    for used in sorted(_global_names(code)):
        if used in function.__globals__:
            yield from _value_lines(used, function.__globals__[used], seen)
    for used, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield from _value_lines(used, cell.cell_contents, seen)


def _code_text(code: CodeType) -> str:
    constants = code.co_consts
    if constants and isinstance(constants[0], str) and not code.co_name.startswith('<'):
        constants = constants[1:]  # 文档字符串
    texts = [*map(_constant_text, constants)]
    return f'{code.co_code.hex()} {texts} {code.co_names} {code.co_varnames}'


def _constant_text(value: object) -> str:
    if isinstance(value, CodeType):
        return _code_text(value)
    if isinstance(value, frozenset):  # 次序每个进程不同
        return repr(sorted(map(repr, value)))
    return repr(value)


def _global_names(code: CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*map(_global_names, inner))


def _is_foreign(module: str | None) -> bool:
    return f'{module}.'.startswith(FOREIGN)


def _is_plain(value: object) -> bool:
    """只由数、文字组成：它的 repr 每次相同，不含内存地址。"""
    if isinstance(value, dict):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, SIMPLE)
