"""训练：配方、循环、评价、几个种子、对照实验与网格搜索。"""

from deepcnn.training.announcement import announce_training
from deepcnn.training.evaluation import evaluate, evaluating, predict, predict_images
from deepcnn.training.experiment import Variant, recipe_of, run_variants
from deepcnn.training.grid_search import (
    grid,
    hold_out_validation,
    keep_attempts,
    search,
)
from deepcnn.training.hardware import choose_device, choose_profile, describe_device
from deepcnn.training.loop import TrainingDiverged, fit, train_epoch, train_step
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import keep_record
from deepcnn.training.seeds import train, train_seeds

__all__ = [
    'Recipe', 'TrainingDiverged', 'Variant', 'announce_training', 'choose_device',
    'choose_profile', 'describe_device', 'evaluate', 'evaluating', 'fit', 'grid',
    'hold_out_validation', 'keep_attempts', 'keep_record', 'make_optimizer',
    'make_schedule', 'predict', 'predict_images', 'recipe_of', 'run_variants', 'search',
    'train', 'train_epoch', 'train_seeds', 'train_step',
]  # fmt: skip
