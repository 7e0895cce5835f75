"""The glimpse network of the Recurrent Attention Model."""

from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.shared_weights import affine


class GlimpseNetwork(nn.Module):
    """f_g (figure 1B, section 4): g = Rect(Linear(h_g) + Linear(h_l)).

    There h_g = Rect(Linear(rho(x, l))) encodes the content, and h_l = Rect(Linear(l)) the location; with moves, l is
    the step from the last location.
    """

    def __init__(self, seen: int, features: int, code: int) -> None:
        super().__init__()
        self.what = nn.Linear(seen, features)
        self.where = nn.Linear(2, features)
        self.from_what = nn.Linear(features, code)
        self.from_where = nn.Linear(features, code)

    def forward(self, seen: Float[Tensor, "B seen"], location: Float[Tensor, "B 2"]) -> Float[Tensor, "B code"]:
        what = affine((seen,), (self.what.weight,), (self.what.bias,), relu=True)  # h_g
        where = affine((location,), (self.where.weight,), (self.where.bias,), relu=True)  # h_l
        a, b = self.from_what, self.from_where
        return affine((what, where), (a.weight, b.weight), (a.bias, b.bias), relu=True)  # g_t
