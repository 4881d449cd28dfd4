"""书里的结构图与示意图；由 tools/draw_figures.py 调用。"""
