"""Azure Resource Manager on loopback, for rehearsals and tests; README.md says what there is."""

from tests.azure_simulator.simulator import Simulator

__all__ = ["Simulator"]
