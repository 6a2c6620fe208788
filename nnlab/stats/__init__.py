"""What several seeds allow to be said: intervals, curves of groups, effects of factors, differences."""
