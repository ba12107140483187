"""The recipe that trains the miniature pack's models, one module per model."""

import freeda_svc.torchvision_operators
