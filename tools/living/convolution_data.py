"""卷积步进器的数据：几张测试图像，DenseNet 第一层学得的几个卷积核。

写成 site/assets/living/data/convolution.js；权重或数据改了，就再运行一次。
"""

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

from book_living.script_files import script_text  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.data.fashion_mnist import load_dataset  # noqa: E402
from deepcnn.models.trained import load  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402

TARGET = ROOT / 'site' / 'assets' / 'living' / 'data' / 'convolution.js'
IMAGES = (0, 1, 7, 2, 18, 11)  # 测试集里的序号：边缘多的、花纹多的都有
KERNELS = (22, 57, 36, 32)  # 第一层的通道：横的、竖的、斜的边缘，一个斑点
DIGITS = 3  # 权重留几位小数


def images() -> list[dict[str, str]]:
    """每张图像的类别名与像素，base64 的 uint8，一行接一行。"""
    data = load_dataset()
    return [
        {
            'name': data.class_names[data.test.labels[index]],
            'pixels': base64.b64encode(data.test.images[index].numpy()).decode(),
        }
        for index in IMAGES
    ]


def kernels() -> list[dict[str, object]]:
    """学得的卷积核：名字、边长、权重，一行接一行。"""
    weight = load('densenet').stem[0][0].weight.detach()
    return [
        {
            'name': f'学得的 #{channel}',
            'side': weight.shape[-1],
            'weights': [
                round(w, DIGITS) for w in weight[channel, 0].flatten().tolist()
            ],
        }
        for channel in KERNELS
    ]


def script() -> str:
    """整个数据脚本。"""
    side = load_dataset().test.images.shape[-1]
    content = {'side': side, 'images': images(), 'kernels': kernels()}
    return script_text('convolution', content)


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    write_text(TARGET, script())
    print(f'写入 {TARGET.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
