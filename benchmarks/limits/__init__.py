"""The rate of float32 multiply-adds in registers: ``peak.c``, compiled where it is measured."""
