#!/usr/bin/env python3
"""run.py [-v] [--engine COMMAND | --reference] [--write] [NAME[:TITLE]]...

Messages that are submitted on standard input, as tests/smtp/run.py runs them, whose options these are. README.md says how a file is
written.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "smtp"))
import run as smtp  # this file's own name is __main__

smtp.TESTS = HERE

if __name__ == "__main__":
    smtp.main()
