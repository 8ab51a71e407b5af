"""`python -m supervisor` is the `polyfleet` command."""

from supervisor.cli import main

if __name__ == "__main__":
    main()
