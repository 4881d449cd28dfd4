"""一个网络的全部内容写成文字：两个网络的文字相同，训练它们才是同一回事。

``str(net)`` 只列出层，看不见 ``forward``。这里从网络出发，顺着属性、类、闭包、默认参数与
用到的全局名字，把够得着的对象逐个写一行：权重写摘要，函数写字节码。注释、文档字符串、
行号与内存地址不算，所以换一个进程，文字也不变。函数里才导入的代码看不到。
"""

import dis
import hashlib
import inspect
import re
import sys
from collections import deque
from collections.abc import Iterator
from types import (
    BuiltinMethodType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    ModuleType,
)

import numpy as np
import torch
from torch import Tensor, nn

# 这些包的代码由它们的版本代表，不再往里看；版本由断点另外记下。
FOREIGN = sys.stdlib_module_names | {'torch', 'torchvision', 'numpy'}
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
HEAP_TYPE = 1 << 9  # 用 class 语句定义的类；见 CPython 的 Py_TPFLAGS_HEAPTYPE
# 不影响计算的名字：文档、标注、位置。
IGNORED = {
    '__doc__', '__module__', '__name__', '__qualname__', '__annotations__',
    '__annotate__', '__annotate_func__', '__annotations_cache__', '__firstlineno__',
    '__static_attributes__', '__type_params__', '__vectorcalloffset__',
    '__weaklistoffset__', '__dictoffset__',
}  # fmt: skip


def contents_of(net: nn.Module) -> str:
    """返回代表 ``net`` 的文字：结构、权重、设置，以及它执行的全部代码。"""
    walk = _Walk()
    walk.text(net)
    return '\n'.join(f'#{n} {walk.line(one)}' for n, one in enumerate(walk.found))


def tensor_text(tensor: Tensor) -> str:
    """类型、形状、内容的摘要；``meta`` 上的没有内容。"""
    facts = f'{tensor.dtype} {tuple(tensor.shape)} {tensor.requires_grad}'
    if tensor.device.type == 'meta':
        return facts
    values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return f'{facts} {hashlib.sha256(values).hexdigest()}'


class _Walk:
    """走遍一个对象够得着的一切；``found`` 是走到的对象，次序每个进程都相同。

    一边写 ``found`` 里的各行，它一边变长。提到别的对象时写它的号码，所以循环引用、共用的
    层与权重都写得清。
    """

    def __init__(self) -> None:
        self.found: list[object] = []
        self.numbers: dict[int, int] = {}

    def text(self, value: object) -> str:
        """不可变的直接写出；别的写号码，第一次见到时记下。"""
        if type(value) in PLAIN:
            return repr(value)
        if isinstance(value, type) and _is_foreign(value):
            return f'{value.__module__}.{value.__qualname__}'
        if isinstance(value, CodeType):
            return self.code(value)
        if isinstance(value, tuple):
            return f'{self.text(type(value))}({", ".join(map(self.text, value))})'
        number = self.numbers.setdefault(id(value), len(self.found))
        if number == len(self.found):
            self.found.append(value)
        return f'#{number}'

    def line(self, value: object) -> str:
        return ' '.join([self.text(type(value)), *self.contents(value)])

    def contents(self, value: object) -> Iterator[str]:
        """``value`` 自己的内容；由别的对象组成的部分写它们的号码。"""
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, Tensor):
            yield tensor_text(value)
            yield self.text(tuple((value._backward_hooks or {}).values()))
        elif isinstance(value, type):
            yield value.__qualname__ + self.text(value.__bases__)
            yield from self.named(vars(value))
        elif isinstance(value, FunctionType):
            yield from self.function(value)
        else:
            yield from self.items(value)
            yield from self.named(attributes := _attributes(value))
            if not attributes or isinstance(value, (*PLAIN, BuiltinMethodType)):
                yield _plain_repr(value)

    def items(self, value: object) -> Iterator[str]:
        """容器里的各项；集合的次序每个进程不同，所以排好。"""
        if isinstance(value, np.ndarray):
            yield f'{value.dtype}{self.text(value.tolist())}'
        elif isinstance(value, dict):
            for key, one in value.items():
                yield f'{self.text(key)}: {self.text(one)}'
        elif isinstance(value, (set, frozenset)):
            yield from map(self.text, sorted(value, key=_sorting_key))
        elif isinstance(value, (list, deque)):
            yield from map(self.text, value)

    def named(self, values: dict[str, object]) -> Iterator[str]:
        for name in sorted(values.keys() - IGNORED):
            yield f'{name}={self.text(values[name])}'

    def function(self, function: FunctionType) -> Iterator[str]:
        """别的包的装饰器里也可能裹着自己的函数，所以闭包与属性总要看。"""
        yield from (self.text(_inside(cell)) for cell in function.__closure__ or ())
        yield from self.named(vars(function))
        known = function.__globals__
        if _package(known.get('__name__', '')) in FOREIGN:
            yield f'{known["__name__"]}.{function.__qualname__}'
            return
        yield self.text(function.__code__)
        yield self.text(function.__defaults__)
        yield self.text(function.__kwdefaults__)
        steps = [*_steps(function.__code__)]
        attributes = {
            s.argval for s in steps if s.opname in ('LOAD_ATTR', 'LOAD_METHOD')
        }
        used = {s.argval for s in steps if s.opname in ('LOAD_GLOBAL', 'LOAD_NAME')}
        yield from self.names(used, known, attributes)

    def names(
        self, used: set[str], known: dict[str, object], attributes: set[str]
    ) -> Iterator[str]:
        """用到的全局名字；是自己的模块时，再看用到了它里面的哪几个。"""
        for name in sorted(used & known.keys()):
            value = known[name]
            yield f'{name}={self.text(value)}'
            if (
                isinstance(value, ModuleType)
                and _package(value.__name__) not in FOREIGN
            ):
                yield from self.names(attributes, vars(value), attributes - {name})

    def code(self, code: CodeType) -> str:
        """逐条指令，常量写它的值而不是号码：文档字符串也占一个常量的位置。"""
        several = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        steps = (
            f'{s.opname} {self.text(s.argval)}' for s in dis.get_instructions(code)
        )
        caught = getattr(code, 'co_exceptiontable', b'')  # Python 3.11 才有
        return f'{parameters} {several} {caught.hex()} {"; ".join(steps)}'


def _attributes(value: object) -> dict[str, object]:
    """实例的全部属性：字典里的、``__slots__`` 的，也包括 partial、property 等的部件。"""
    slots = {
        name: getattr(value, name, None)
        for kind in type(value).__mro__
        for name, member in vars(kind).items()
        if isinstance(member, MemberDescriptorType)
    }
    if isinstance(value, BuiltinMethodType):
        slots['__self__'] = value.__self__
    found = slots | getattr(value, '__dict__', {})
    if not isinstance(value, nn.Module):
        return found
    return {
        # 钩子的键是进程里的流水号
        name: (*one.values(),) if '_hooks' in name and isinstance(one, dict) else one
        for name, one in found.items()
        if name != 'training'  # 训练循环自己会设
    }


def _plain_repr(value: object) -> str:
    """没有属性可看的对象；内存地址去掉，数与文字的子类写它的值。"""
    if isinstance(value, (dict, list, set, frozenset, deque, np.ndarray)):
        return ''  # 各项已经写了
    kinds = (kind for kind in PLAIN if isinstance(value, kind))
    return re.sub('0x[0-9a-f]+', '', next(kinds, type(value)).__repr__(value))


def _sorting_key(value: object) -> tuple[str, str]:
    plain = repr(value) if type(value) in (*PLAIN, tuple) else ''
    return type(value).__name__, getattr(value, '__qualname__', plain)


def _inside(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # 还没有赋值
        return None


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    """``code`` 与它里面各个函数的全部指令。"""
    for step in dis.get_instructions(code):
        yield step
        if isinstance(step.argval, CodeType):
            yield from _steps(step.argval)


def _package(module: str) -> str:
    return module.partition('.')[0]


def _is_foreign(kind: type) -> bool:
    """没有 ``__name__`` 的命名空间里定义的类也自称来自 builtins。"""
    module = kind.__module__
    made_here = module == 'builtins' and kind.__flags__ & HEAP_TYPE
    return _package(module) in FOREIGN and not made_here
