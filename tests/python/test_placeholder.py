"""Placeholder."""
def test_x():
    pass
