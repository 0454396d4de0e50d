"""Networks of the five families, in plain PyTorch: each usable alone in three lines."""

from zoo.models.autoencoder import Autoencoder, Reconstruction
from zoo.models.cnn import CNN, LeNet5
from zoo.models.conv_autoencoder import ConvAutoencoder
from zoo.models.fnn import FNN
from zoo.models.hooks import intermediate
from zoo.models.lstm import LSTM
from zoo.models.recurrent import Recurrence
from zoo.models.resnet import ResNet
from zoo.models.rnn import GRU, RNN
from zoo.models.sampling import generate
from zoo.models.torchvision import Torchvision
from zoo.models.vae import VAE, ConvVAE, VariationalReconstruction

__all__ = [
    "CNN",
    "FNN",
    "GRU",
    "LSTM",
    "RNN",
    "VAE",
    "Autoencoder",
    "ConvAutoencoder",
    "ConvVAE",
    "LeNet5",
    "Recurrence",
    "Reconstruction",
    "ResNet",
    "Torchvision",
    "VariationalReconstruction",
    "generate",
    "intermediate",
]
