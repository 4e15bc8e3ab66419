"""A death in the middle of a step, without killing the process of the tests."""


class Died(BaseException):
    """What a killed process would leave, without killing this one."""
