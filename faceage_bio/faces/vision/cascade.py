"""The three networks of MTCNN with facenet-pytorch's weights, each computed as its device does it fastest."""

import torch
from torch import nn
from torch.nn import functional

PNET_SIZE, RNET_SIZE, ONET_SIZE = 12, 24, 48  # pixels, the networks' fields of view
PNET_STRIDE = 2


class Cascade:
    """P-, R- and O-net on a device.

    Parameters
    ----------
    device : torch.device
    gpu : bool
        Compute as a GPU wants it. On a CPU, PyTorch chooses slow ways for single photos and few channels: others give the same
        answers in two thirds of the time.
    """

    def __init__(self, device: torch.device, gpu: bool) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.gpu = gpu
        self.pnet, self.rnet, self.onet = (
            network().eval().to(device, memory_format=torch.channels_last) for network in (PNet, RNet, ONet)
        )
        faces, shifts = self.pnet.conv4_1, self.pnet.conv4_2
        heads = nn.Conv2d(32, 6, 1)
        heads.weight.data = torch.cat([faces.weight, shifts.weight]).detach()
        heads.bias.data = torch.cat([faces.bias, shifts.bias]).detach()
        self.heads = heads.to(device, memory_format=torch.channels_last)

    def propose(self, levels: torch.Tensor, outside: torch.Tensor | None = None) -> torch.Tensor:
        """P-net at every second pixel: two log odds (no face, face) and four shifts, shape (n, rows, columns, 6).

        Parameters
        ----------
        levels : float32 tensor, shape (n, 3, height, width)
        outside : bool tensor, shape (n, 1, height - 2, width - 2)
            Where the first layer's field of view leaves a photo that is smaller than others of its batch. Pooling looks ahead
            by one pixel there, and would otherwise see what is beside the photo.
        """
        net = self.pnet
        x = net.prelu1(self._convolve(net.conv1, levels))
        if outside is not None:
            x = x.masked_fill_(outside, -torch.inf)
        x = net.prelu2(self._convolve(net.conv2, self._pool(x, 2)))
        x = net.prelu3(self._convolve(net.conv3, x))
        return self._convolve(self.heads, x).permute(0, 2, 3, 1)

    def refine(self, patches: torch.Tensor) -> torch.Tensor:
        """R-net: probability of a face and four shifts, shape (n, 5), for patches of shape (n, 3, 24, 24)."""
        net = self.rnet
        x = self._pool(net.prelu1(self._convolve(net.conv1, patches)), 3)
        x = self._pool(net.prelu2(self._convolve(net.conv2, x)), 3)
        x = net.prelu3(self._convolve(net.conv3, x))
        x = net.prelu4(net.dense4(x.permute(0, 3, 2, 1).flatten(1)))
        return torch.cat([probability(net.dense5_1(x)), net.dense5_2(x)], dim=1)

    def output(self, patches: torch.Tensor) -> torch.Tensor:
        """O-net: probability, four shifts, five x and five y of landmarks, shape (n, 15), for patches of shape (n, 3, 48, 48)."""
        net = self.onet
        x = self._pool(net.prelu1(self._convolve(net.conv1, patches)), 3)
        x = self._pool(net.prelu2(self._convolve(net.conv2, x)), 3)
        x = self._pool(net.prelu3(self._convolve(net.conv3, x)), 2)
        x = net.prelu4(self._convolve(net.conv4, x))
        x = net.prelu5(net.dense5(x.permute(0, 3, 2, 1).flatten(1)))
        return torch.cat([probability(net.dense6_1(x)), net.dense6_2(x), net.dense6_3(x)], dim=1)

    def _convolve(self, layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        if self.gpu or not torch.backends.mkldnn.is_available():
            return layer(x)
        # PyTorch itself takes a slower library for single small pictures and for 1 x 1 pixel
        return torch.mkldnn_convolution(x, layer.weight, layer.bias, (0, 0), (1, 1), (1, 1), 1)

    def _pool(self, x: torch.Tensor, size: int) -> torch.Tensor:
        """Maxima of windows two pixels apart, the last one cut off where it leaves the picture."""
        if self.gpu:
            return functional.max_pool2d(x, size, 2, ceil_mode=True)
        for dim in (2, 3):  # PyTorch's own notes where each maximum lay, and is four times slower on a CPU
            n = -(-(x.shape[dim] - size) // 2) + 1
            every = x.unfold(dim, 1, 2).squeeze(-1)
            best = every.narrow(dim, 0, n)
            for ahead in range(1, size):
                rest = x.narrow(dim, ahead, x.shape[dim] - ahead).unfold(dim, 1, 2).squeeze(-1)
                rest = rest.narrow(dim, 0, min(n, rest.shape[dim]))
                short = n - rest.shape[dim]
                whole = torch.maximum(best.narrow(dim, 0, n - short), rest)
                best = torch.cat([whole, best.narrow(dim, n - short, short)], dim) if short else whole
            x = best
        return x


def map_size(side):
    """P-net's answers along a side of so many pixels (a number or an array of them); its pooling rounds up."""
    return (side - 1) // 2 - 4


def probability(log_odds: torch.Tensor) -> torch.Tensor:
    """Of a face, shape (n, 1), from the log odds of none and one, shape (n, 2)."""
    return log_odds.softmax(dim=1)[:, 1:]
