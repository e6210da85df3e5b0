from __future__ import annotations

import torch

from lightning_emorec.branches.adversary import ActorAdversary

ACTORS = ["12", "3", "12", "7"]


def made() -> ActorAdversary:
    torch.manual_seed(0)
    adversary = ActorAdversary(size=6, hidden=8)
    adversary.learn(ACTORS)
    return adversary


def test_following_the_embedding_s_gradient_makes_the_actor_harder_to_guess() -> None:
    adversary = made()
    embedding = torch.randn(4, 6, requires_grad=True)
    before = adversary.loss(embedding, ACTORS)
    before.backward()
    assert embedding.grad is not None
    with torch.no_grad():  # one step downhill, as an optimiser takes it
        after = adversary.loss(embedding - 0.1 * embedding.grad, ACTORS)
    assert after > before


def test_the_guesser_itself_gets_better() -> None:
    adversary, embedding = made(), torch.randn(4, 6)
    optimiser = torch.optim.SGD(adversary.parameters(), lr=0.5)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = adversary.loss(embedding, ACTORS)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_what_was_learned_loads_into_one_that_never_saw_the_actors() -> None:
    adversary, again = made(), ActorAdversary(size=6, hidden=8)
    again.load_state_dict(adversary.state_dict(), strict=True)
    embedding = torch.randn(4, 6)
    torch.testing.assert_close(again.loss(embedding, ACTORS), adversary.loss(embedding, ACTORS))
