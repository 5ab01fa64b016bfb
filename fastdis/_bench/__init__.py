"""The benchmarks behind ``fastdis bench`` and ``benchmarks/``: one module of rows a stage.

Private; installed with the package, so that ``fastdis bench`` works where ``benchmarks/`` is not.
"""
