"""读者自己的图像：从文件夹训练、接着训练、微调、评价、认图像；也是命令行 ``deepcnn``。

三行就够::

    from deepcnn.own import Order, train_own
    outcome = train_own(Order('resnet18', 'flowers', epochs=30))
    print(outcome.accuracy, outcome.folder)
"""

from deepcnn.own.kept import load_kept
from deepcnn.own.long_run import LongRun
from deepcnn.own.orders import Order
from deepcnn.own.other_commands import evaluate_on, predict_files
from deepcnn.own.training_command import Outcome, train_own

__all__ = [
    'LongRun', 'Order', 'Outcome', 'evaluate_on', 'load_kept', 'predict_files', 'train_own',
]  # fmt: skip
