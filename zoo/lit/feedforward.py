"""One way through: FNN and CNN."""

from zoo.lit.base import Batch, LitModel, Prediction


class LitFeedForward(LitModel):
    """Trains a net that maps x to y in one pass."""

    def predict(self, batch: Batch) -> Prediction:
        """Compare net(x) with y."""
        output = self.net(batch.x)
        return Prediction(output, output, batch.y, batch.mask)
