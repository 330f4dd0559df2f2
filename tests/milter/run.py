#!/usr/bin/env python3
"""run.py [-v] [--engine COMMAND | --reference] [--write] [NAME[:TITLE]]...

Filters of mail, as they are asked, and what they bring about. The files are those of tests/smtp, with filters that
follow a script and what they are told; README.md says how.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "smtp"))
import run

run.TESTS = HERE
if __name__ == "__main__":
    run.main()
