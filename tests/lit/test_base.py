"""The step that all families share, against the same arithmetic written out."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import DummyLogger
from torch import Tensor, nn

from zoo.data import Batch, Split
from zoo.lit import LitFeedForward, LitRecurrent
from zoo.lit.metrics import Accuracy, MeanAbsoluteError
from zoo.losses import MSE, CrossEntropy, GaussianNLL
from zoo.models import FNN, RNN
from zoo.regularization import L1, L2, MaxNorm

STILL = partial(torch.optim.SGD, lr=0.0)  # steps that change nothing, so that means can be redone
SGD = partial(torch.optim.SGD, lr=0.1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def table(count: int, outputs: int = 1) -> Split:
    return Split(torch.randn(count, 3), torch.randn(count, outputs))


def squares(net: nn.Module, split: Split) -> Tensor:
    with torch.no_grad():
        return (net(split.x) - split.y).square()


def weights_of(net: FNN) -> list[Tensor]:
    """The matrices, by name: the biases are the parameters that end in `bias`."""
    return [p for name, p in net.named_parameters() if name.endswith("weight")]


def test_training_optimises_the_loss_plus_every_penalty() -> None:
    net = FNN(3, 2, hidden=(5,), activation="tanh")
    module = LitFeedForward(net, loss=MSE(), regularization={"l1": L1(0.3), "two": L2(0.7)})
    split = table(4, outputs=2)
    objective = module.training_step(Batch(*split), 0)
    expected = squares(net, split).sum() / 8
    for w in weights_of(net):
        expected = expected + 0.3 * w.abs().sum() + 0.7 * (w * w).sum()
    torch.testing.assert_close(objective, expected)


def test_validation_and_test_report_the_task_alone_and_training_reports_every_term(
    fit: Callable[..., Any],
) -> None:
    net = FNN(3, 1, hidden=(4,))
    module = LitFeedForward(net, loss=MSE(), regularization={"l2": L2(0.5)}, optimizer=STILL)
    train, val = table(8), table(8)
    trainer = fit(module, train, val)
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    penalty = 0.5 * sum((w * w).sum().item() for w in weights_of(net))
    loss = squares(net, train).mean().item()
    assert logged == pytest.approx(
        {
            "train/loss": loss,
            "train/penalty/l2": penalty,
            "train/objective": loss + penalty,
            "val/loss": squares(net, val).mean().item(),
        },
        rel=1e-5,
    )
    module.test_step(Batch(*val), 0)
    assert module.means["test"].drain(trainer.strategy) == pytest.approx(
        {"loss": squares(net, val).mean().item()}, rel=1e-5
    )


def test_without_penalties_there_is_no_second_name_for_the_loss(fit: Callable[..., Any]) -> None:
    trainer = fit(LitFeedForward(FNN(3, 1), loss=MSE(), optimizer=STILL), table(4), table(4))
    assert set(trainer.callback_metrics) == {"train/loss", "val/loss"}


def test_means_over_an_epoch_weigh_samples_and_not_batches(fit: Callable[..., Any]) -> None:
    net = FNN(3, 1, hidden=())
    train, val = table(9), table(5)  # batches of 4, 4, 1 and 4, 1
    train.y[8], val.y[4] = 50.0, -50.0  # which a mean of batch means would count four times
    trainer = fit(LitFeedForward(net, loss=MSE(), optimizer=STILL), train, val)
    for stage, split in (("train", train), ("val", val)):
        expected = squares(net, split).mean().item()
        assert trainer.callback_metrics[f"{stage}/loss"].item() == pytest.approx(expected, rel=1e-5)


def test_means_over_padded_batches_weigh_the_steps_that_count(fit: Callable[..., Any]) -> None:
    net = RNN(2, 3, hidden_size=4, readout="every")
    lengths = torch.tensor([5, 5, 1, 2, 1])
    mask = torch.arange(5) < lengths[:, None]
    split = Split(torch.randn(5, 5, 2), torch.randint(3, (5, 5)), lengths, mask)
    module = LitRecurrent(
        net, loss=CrossEntropy(), metrics={"accuracy": Accuracy()}, optimizer=STILL
    )
    trainer = fit(module, split, split, batch_size=2)
    logits = net.eval()(split.x, None, lengths).output
    nll, right, count = 0.0, 0, 0
    for sample in range(5):
        for step in range(int(lengths[sample])):
            answer = logits[sample, step]
            wanted = split.y[sample, step]
            nll += (answer.exp().sum().log() - answer[wanted]).item()
            right += int(answer.argmax() == wanted)
            count += 1
    for stage in ("train", "val"):
        logged = trainer.callback_metrics
        assert logged[f"{stage}/loss"].item() == pytest.approx(nll / count, rel=1e-5)
        assert logged[f"{stage}/accuracy"].item() == pytest.approx(right / count)


def test_metrics_start_anew_each_epoch(fit: Callable[..., Any]) -> None:
    class Watch(Callback):
        seen: list[float] = []

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            self.seen.append(trainer.callback_metrics["val/accuracy"].item())
            with torch.no_grad():  # from now on the other class wins
                pl_module.net.head.bias.copy_(-pl_module.net.head.bias)

    net = FNN(3, 2, hidden=(), init="zeros")
    with torch.no_grad():
        net.head.bias.copy_(torch.tensor([1.0, -1.0]))
    module = LitFeedForward(
        net, loss=CrossEntropy(), metrics={"accuracy": Accuracy()}, optimizer=STILL
    )
    split = Split(torch.randn(6, 3), torch.tensor([0, 0, 0, 0, 1, 1]))
    watch = Watch()
    fit(module, split, split, max_epochs=2, callbacks=[watch])
    assert watch.seen == pytest.approx([4 / 6, 2 / 6])


def test_metrics_read_the_point_prediction_of_a_distribution() -> None:
    net = FNN(3, 2, hidden=())  # mean and spread of one value
    module = LitFeedForward(net, loss=GaussianNLL(), metrics={"mae": MeanAbsoluteError()})
    split = table(6)
    module.validation_step(Batch(*split), 0)
    expected = (net(split.x)[:, :1] - split.y).abs().mean()
    torch.testing.assert_close(module.metrics["val_metrics"]["mae"].compute().float(), expected)


def test_constraints_hold_after_every_update_as_in_a_loop_written_out(
    fit: Callable[..., Any],
) -> None:
    net = FNN(3, 1, hidden=(4,), activation="tanh")
    start = {name: p.detach().clone() for name, p in net.named_parameters()}
    split = table(8)
    module = LitFeedForward(
        net, loss=MSE(), regularization={"max_norm": MaxNorm(0.4)}, optimizer=SGD
    )
    fit(module, split, batch_size=4)

    twin = FNN(3, 1, hidden=(4,), activation="tanh")
    twin.load_state_dict(start)
    for part in (slice(0, 4), slice(4, 8)):
        loss = (twin(split.x[part]) - split.y[part]).square().mean()
        gradients = torch.autograd.grad(loss, list(twin.parameters()))
        with torch.no_grad():
            for (name, p), gradient in zip(twin.named_parameters(), gradients, strict=True):
                p -= 0.1 * gradient
                if name.endswith("weight"):
                    for row in p:
                        row *= min(1.0, 0.4 / row.norm().item())
    for name, p in twin.named_parameters():
        torch.testing.assert_close(net.get_parameter(name), p, msg=name)
    longest = max(w.norm(dim=1).max().item() for w in weights_of(net))
    assert longest == pytest.approx(0.4, rel=1e-4)  # else the constraint had nothing to do


def test_decay_shrinks_weights_and_spares_biases_and_norms(fit: Callable[..., Any]) -> None:
    net = FNN(3, 2, hidden=(4,), norm="layer")
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.5)
    split = Split(torch.randn(4, 3), torch.zeros(4, 2))
    split = split._replace(y=net(split.x).detach())  # no error, so no gradient: decay alone acts
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    decay = partial(torch.optim.SGD, lr=0.1, weight_decay=0.5)
    fit(LitFeedForward(net, loss=MSE(), optimizer=decay), split)
    matrices = 0
    for name, p in net.named_parameters():
        factor = 1 - 0.1 * 0.5 if p.dim() == 2 else 1.0
        matrices += p.dim() == 2
        torch.testing.assert_close(p, factor * before[name], atol=1e-5, rtol=0, msg=name)
    assert matrices == 2


def test_the_interval_reports_the_mean_loss_since_the_last_report(fit: Callable[..., Any]) -> None:
    class Rows(DummyLogger):
        rows: list[tuple[int, dict[str, float]]] = []

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            self.rows.append((step or 0, dict(metrics)))

    net = FNN(3, 1, hidden=())
    split = table(8)
    logger = Rows()
    module = LitFeedForward(net, loss=MSE(), optimizer=partial(torch.optim.SGD, lr=1e-30))
    fit(module, split, batch_size=2, logger=logger, log_every_n_steps=2)
    steps = {step: row for step, row in logger.rows if "train/loss_step" in row}
    error = squares(net, split)
    assert {step: row["train/loss_step"] for step, row in steps.items()} == pytest.approx(
        {2: error[:4].mean().item(), 4: error[4:].mean().item()}, rel=1e-5
    )
    assert {row["lr"] for row in steps.values()} == {1e-30}


def test_accumulated_gradients_make_the_update_of_the_whole_batch(fit: Callable[..., Any]) -> None:
    split, nets = table(8), []
    for batch_size, accumulate in ((8, 1), (2, 4)):
        torch.manual_seed(1)
        nets.append(FNN(3, 1, hidden=(4,)))
        module = LitFeedForward(nets[-1], loss=MSE(), optimizer=SGD)
        fit(module, split, batch_size=batch_size, accumulate_grad_batches=accumulate)
    for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_schedule_over_a_run_without_end_is_refused(fit: Callable[..., Any]) -> None:
    def never(*args: Any, **kwargs: Any) -> dict[str, Any]:
        raise AssertionError("a schedule without a length")

    module = LitFeedForward(FNN(3, 1), loss=MSE(), optimizer=SGD, scheduler=never)
    with pytest.raises(ValueError, match="trainer.max_epochs"):
        fit(module, table(4), max_epochs=-1)


def test_each_stage_has_metrics_of_its_own() -> None:
    metric = Accuracy()
    module = LitFeedForward(FNN(3, 2), loss=CrossEntropy(), metrics={"accuracy": metric})
    module.validation_step(Batch(torch.randn(4, 3), torch.zeros(4, dtype=torch.long)), 0)

    def counts() -> Iterator[float]:
        for stage in ("train", "val", "test"):
            yield module.metrics[f"{stage}_metrics"]["accuracy"].count.item()

    assert list(counts()) == [0, 4, 0]
    assert metric.count.item() == 0


def test_the_plain_net_is_what_forward_runs() -> None:
    net = FNN(3, 2)
    x = torch.randn(5, 3)
    torch.testing.assert_close(LitFeedForward(net, loss=CrossEntropy())(x), net(x))
