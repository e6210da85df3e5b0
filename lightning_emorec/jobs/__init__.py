"""Runs `fit`s in child processes, several at a time, and stops them when this process receives a signal to stop."""
