"""`polyfleet chaos`: kills every kind of process of a fleet at random, and checks that nothing was lost or done twice."""
