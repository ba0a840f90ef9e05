# The inspector: protocol, JSON, methods.
inspect.SRCS :=
