import utils

import itertools

import cv2
import numpy as np
import pytest
from mxnet import autograd, gluon, init, nd

STRIDES = [2, 3, 4, 8, 16, 32]


def _classic(stride):
    """Kernel and padding for an even and an odd stride (chapter 05)."""
    return (2 * stride, stride // 2) if stride % 2 == 0 else (2 * stride - 1, (stride - 1) // 2)


def _enlarge(image, stride):
    """(h, w) array → (s·h, s·w) array by a transposed convolution of the classic settings."""
    kernel_size, padding = _classic(stride)
    return nd.Deconvolution(
        nd.array(image[None, None]),
        utils.bilinear_kernel(1, 1, kernel_size),
        kernel=(kernel_size,) * 2,
        stride=(stride,) * 2,
        pad=(padding,) * 2,
        num_filter=1,
        no_bias=True,
    )[0, 0].asnumpy()


@pytest.mark.parametrize("stride", STRIDES)
def test_kernel_resizes_like_opencv_in_the_interior(stride):
    image = np.random.RandomState(0).rand(7, 9).astype(np.float32)
    out = _enlarge(image, stride)
    expected = cv2.resize(image, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR)
    assert out.shape == expected.shape
    inner = slice(stride // 2, -(stride // 2))  # from the first cell's centre to the last's
    np.testing.assert_allclose(out[inner, inner], expected[inner, inner], atol=1e-5)


def test_kernel_is_diagonal_over_channels_and_grouped_is_the_same():
    kernel = utils.bilinear_kernel(3, 3, 4).asnumpy()
    assert kernel.shape == (3, 3, 4, 4) and kernel.dtype == np.float32
    np.testing.assert_allclose(kernel[0, 0, 1], np.array([0.25, 0.75, 0.75, 0.25]) * 0.75)
    assert (kernel[~np.eye(3, dtype=bool)] == 0).all()
    x = nd.random.normal(shape=(2, 3, 5, 6))
    dense = gluon.nn.Conv2DTranspose(3, 4, strides=2, padding=1, use_bias=False, in_channels=3)
    grouped = gluon.nn.Conv2DTranspose(3, 4, strides=2, padding=1, groups=3, use_bias=False, in_channels=3)
    dense.initialize(init.Zero())
    grouped.initialize(init.Zero())
    dense.weight.set_data(utils.bilinear_kernel(3, 3, 4))
    grouped.weight.set_data(utils.bilinear_kernel(3, 1, 4))
    np.testing.assert_allclose(dense(x).asnumpy(), grouped(x).asnumpy(), atol=1e-6)


def test_kernel_of_two_different_channel_counts_is_refused():
    with pytest.raises(ValueError, match="3 channels to 2"):
        utils.bilinear_kernel(3, 2, 4)


@pytest.mark.parametrize("stride", [2, 3, 5, 8, 32])
def test_aligned_enlargement_against_numpys_interpolation(stride):
    """Pixel p takes the value at position p / stride of the row, the last cell's beyond it."""
    row = np.random.RandomState(0).rand(5).astype(np.float32)
    layer = utils.BilinearUpsampling(1, stride)
    layer.initialize()
    out = layer(nd.array(np.tile(row, (4, 1))[None, None]))[0, 0].asnumpy()
    expected = np.interp(np.arange(5 * stride) / stride, np.arange(5), row)
    for line in out[: 4 * stride, : 5 * stride]:
        np.testing.assert_allclose(line, expected, atol=1e-6)


@pytest.mark.parametrize("align", [True, False])
def test_enlargement_learns_nothing_and_passes_gradients(align):
    layer = utils.BilinearUpsampling(2, 4, align=align)
    layer.initialize()
    assert [p.grad_req for p in layer.collect_params().values()] == ["null"]
    x = nd.ones((1, 2, 3, 3))
    x.attach_grad()
    with autograd.record():
        y = layer(x).sum()
    y.backward()
    assert (x.grad.asnumpy() > 0).all()


@pytest.mark.parametrize("stride", STRIDES + [5])
def test_classic_enlargement_resizes_like_opencv_in_the_interior(stride):
    layer = utils.BilinearUpsampling(1, stride, align=False)
    layer.initialize()
    image = np.random.RandomState(0).rand(6, 7).astype(np.float32)
    out = layer(nd.array(image[None, None]))[0, 0].asnumpy()
    expected = cv2.resize(image, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR)
    assert out.shape == expected.shape
    inner = slice(stride // 2, -(stride // 2))
    np.testing.assert_allclose(out[inner, inner], expected[inner, inner], atol=1e-5)


@pytest.mark.parametrize("stride", STRIDES)
def test_kernel_is_mxnets_resize_times_what_it_makes_of_ones(stride):
    """The border fades by a window that depends on the place alone, so no label changes (chapter 05)."""
    image = np.random.RandomState(0).rand(7, 9).astype(np.float32)
    resized = nd.contrib.BilinearResize2D(
        nd.array(image[None, None]), height=7 * stride, width=9 * stride, align_corners=False
    )[0, 0].asnumpy()
    window = _enlarge(np.ones_like(image), stride)
    inner = slice(stride // 2, -(stride // 2))
    np.testing.assert_allclose(window[inner, inner], 1, atol=1e-6)
    np.testing.assert_allclose(window[0, 0], ((stride + 1) / (2 * stride)) ** 2, atol=1e-6)
    np.testing.assert_allclose(_enlarge(image, stride), resized * window, atol=1e-5)


@pytest.mark.parametrize("align", [True, False])
def test_twice_is_once_only_with_cells_at_multiples_of_the_stride(align):
    """×2 then ×16 against ×32: equal when aligned; a single cell keeps (3/4)² in the classic form."""
    impulse = np.zeros((1, 1, 5, 5), np.float32)
    impulse[..., 2, 2] = 1
    layers = {stride: utils.BilinearUpsampling(1, stride, align=align) for stride in (2, 16, 32)}
    for layer in layers.values():
        layer.initialize()
    once = layers[32](nd.array(impulse))
    twice = nd.slice_like(layers[16](layers[2](nd.array(impulse))), once, axes=(2, 3))
    gap = nd.abs(once - twice).max().asscalar()
    np.testing.assert_allclose(gap, 0 if align else (63 / 64) ** 2 - (3 / 4) ** 2, atol=1e-6)


def test_mxnets_initialiser_fills_every_pair_of_channels():
    """Why the course has a kernel of its own: right for grouped layers and the classic sizes only (chapter 05)."""
    dense, grouped, aligned = nd.zeros((3, 3, 8, 8)), nd.zeros((3, 1, 8, 8)), nd.zeros((1, 1, 3, 3))
    for weight in dense, grouped, aligned:
        init.Bilinear()._init_weight("", weight)
    assert (dense.asnumpy() > 0).all()
    np.testing.assert_allclose(grouped.asnumpy(), utils.bilinear_kernel(3, 1, 8).asnumpy(), atol=1e-6)
    assert np.abs(aligned.asnumpy() - utils.bilinear_kernel(1, 1, 3).asnumpy()).max() > 0.4


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("stride", [2, 3, 8, 32])
@pytest.mark.parametrize("hybrid", [False, True])
def test_two_matrix_products_are_the_transposed_convolution(stride, align, hybrid):
    """The fast form: scores and gradient as the plain one's, with and without a size to cut to, at 1 cell too."""
    for cells in (5, 7), (1, 1), (1, 3):
        x = nd.random.normal(shape=(2, 3, *cells))
        like = nd.zeros((2, 1, cells[0] * stride - 1, max(1, cells[1] * stride - stride // 2)))
        found = []
        for kind in utils.BilinearUpsampling, utils.MatrixUpsampling:
            for more in (), (like,):
                layer = kind(3, stride, align=align)
                layer.initialize()
                if hybrid:
                    layer.hybridize()
                x.attach_grad()
                with autograd.record():
                    out = layer(x, *more)[:, :, : cells[0] * stride, : cells[1] * stride]  # aligned, the plain has more
                out.backward(nd.array(np.random.RandomState(0).normal(size=out.shape)))
                found.append((out.asnumpy(), x.grad.asnumpy()))
        for expected, mine in (found[0], found[2]), (found[1], found[3]):
            for a, b in zip(expected, mine, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(b, a, atol=1e-5 * max(1, np.abs(a).max()))


def _output_sizes():
    grid = itertools.product([1, 2, 3, 4, 5], [1, 2, 3, 4], [0, 1, 2], [1, 2], [0, 1, 2, 3])
    # output_padding < stride; a kernel of 1 has nothing to dilate
    return [row for row in grid if row[4] < row[1] and (row[0] > 1 or row[3] == 1)]


def test_a_transposed_convolution_has_the_size_of_the_formula_and_the_numbers_of_the_gradient():
    """Chapter 04 shows six settings; here are all: kernel, stride, padding, dilation, output_padding."""
    rng, checked = np.random.RandomState(0), 0
    for kernel, stride, padding, dilation, extra in _output_sizes():
        more = dict(kernel=(kernel,) * 2, stride=(stride,) * 2, pad=(padding,) * 2, dilate=(dilation,) * 2)
        more |= dict(num_filter=1, no_bias=True)
        size = tuple(stride * (n - 1) + dilation * (kernel - 1) + 1 - 2 * padding + extra for n in (4, 6))
        if min(size) < 1:
            assert (kernel, padding) == (1, 2)
            continue
        weight, given = nd.array(rng.rand(1, 1, kernel, kernel)), nd.array(rng.rand(1, 1, 4, 6))
        out = nd.Deconvolution(given, weight, adj=(extra,) * 2, **more)
        x = nd.zeros((1, 1, *size))
        x.attach_grad()
        with autograd.record():
            y = nd.Convolution(x, weight, **more)
        y.backward(given)
        assert out.shape[2:] == size and y.shape == given.shape
        np.testing.assert_allclose(out.asnumpy(), x.grad.asnumpy(), atol=1e-5)
        checked += 1
    assert checked == len(_output_sizes()) - 1


def test_an_output_padding_of_the_stride_is_refused():
    with pytest.raises(RuntimeError, match="than stride"):
        gluon.nn.Conv2DTranspose(1, 3, 2, 1, output_padding=2, in_channels=1)


@pytest.mark.parametrize("stride", range(1, 6))
@pytest.mark.parametrize("kernel", range(1, 11))
def test_ones_stay_even_inside_where_the_stride_divides_the_kernel_and_nowhere_else(kernel, stride):
    counts = nd.Deconvolution(
        nd.ones((1, 1, 12, 12)),
        nd.ones((1, 1, kernel, kernel)),
        kernel=(kernel,) * 2,
        stride=(stride,) * 2,
        num_filter=1,
        no_bias=True,
    )
    inside = counts[0, 0, kernel:-kernel, kernel:-kernel].asnumpy()
    assert (inside.min() == inside.max()) == (kernel % stride == 0)
