"""The worker of a sweep, as `zoo.sweeps.pool` starts it."""

from zoo.sweeps.worker import main

if __name__ == "__main__":
    main()
