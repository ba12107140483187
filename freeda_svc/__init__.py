"""FreeDA as a service: open-vocabulary segmentation without training."""
