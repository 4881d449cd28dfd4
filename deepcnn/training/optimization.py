"""优化器与学习率的调度，都由配方决定。"""

import torch
from torch import nn

from deepcnn.given_numbers import whole_number
from deepcnn.training.recipe import Recipe


def make_optimizer(
    net: nn.Module, recipe: Recipe, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW，或带 Nesterov 动量的 SGD（``momentum=0`` 时是普通的 SGD）。"""
    settings = {
        'lr': recipe.lr,
        'weight_decay': recipe.weight_decay,
        'fused': device.type in ('cuda', 'cpu'),
    }
    if recipe.optimizer == 'adamw':
        return torch.optim.AdamW(net.parameters(), **settings)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(
        net.parameters(), momentum=recipe.momentum, nesterov=nesterov, **settings
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """``onecycle``：先升到峰值再降到接近 0（Smith 与 Topin，2019）；``constant``：不变。

    ``steps`` 是每轮的步数。
    """
    if recipe.schedule == 'constant':
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    total_steps = recipe.epochs * whole_number('steps', steps, 1)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.lr,
        total_steps=total_steps,
        pct_start=0.5 if total_steps == 4 else 0.25,  # 4 步的四分之一：它会除以 0
        div_factor=10,
        final_div_factor=100,
        cycle_momentum=False,
    )
