"""Questions: which network is better at equal size, with the learning rate tuned for each alike."""
