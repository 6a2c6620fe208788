"""How the queue behaves with ten thousand runs in it."""
