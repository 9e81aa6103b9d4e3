"""What runs later: events, deferred steps, sweeps, and everything that is sent."""
