"""What tests of the container share by name: the instructions of a stage of the Dockerfile."""

import shlex

TOKEN = {"INTERNAL_TOKEN": "a-token-of-more-than-16-bytes"}


def of(stage, instruction):
    return [arguments for name, arguments in stage if name == instruction]


def environment(stage):
    return dict(pair.split("=", 1) for line in of(stage, "ENV") for pair in shlex.split(line))
