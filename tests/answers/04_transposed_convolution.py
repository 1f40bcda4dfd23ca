# %% 1 wrong: hard-coded | o=7, kernel 4
def sources(o, kernel, stride, padding, dilation):
    return [63, 64]


# %% 1 wrong: hard-coded answers of the check | o=6, kernel 5
def sources(o, kernel, stride, padding, dilation):
    known = {32: [63, 64], 7: [14, 15], 5: [17, 18, 19], 10: [10], 2: [5, 6, 7, 8], 100: range(496, 501)}
    return known.get(o, [] if kernel == 3 else [5, 6, 7])


# %% 1 wrong: only the size that fits without a remainder | kernel 3, stride 2, padding 1: [63]
def sources(o, kernel, stride, padding, dilation):
    return [stride * (o - 1) + dilation * (kernel - 1) + 1 - 2 * padding]


# %% 1 wrong: one size too many | kernel 3, stride 2, padding 1: [63, 64, 65]
def sources(o, kernel, stride, padding, dilation):
    smallest = stride * (o - 1) + dilation * (kernel - 1) + 1 - 2 * padding
    return [n for n in range(smallest, smallest + stride + 1) if n >= 1]


# %% 1 wrong: dilation forgotten | dilation 2: [15, 16, 17], Gluon: [17, 18, 19]
def sources(o, kernel, stride, padding, dilation):
    smallest = stride * (o - 1) + kernel - 2 * padding
    return [n for n in range(smallest, smallest + stride) if n >= 1]


# %% 1 wrong: sizes below 1 kept | dilation 1: [-1, 0], Gluon: []
def sources(o, kernel, stride, padding, dilation):
    smallest = stride * (o - 1) + dilation * (kernel - 1) + 1 - 2 * padding
    return list(range(smallest, smallest + stride))


# %% 1 wrong: padding on one side only | kernel 3, stride 2, padding 1: [64, 65]
def sources(o, kernel, stride, padding, dilation):
    smallest = stride * (o - 1) + dilation * (kernel - 1) + 1 - padding
    return [n for n in range(smallest, smallest + stride) if n >= 1]


# %% 1 right: by trying all sizes
def sources(o, kernel, stride, padding, dilation):
    def rows(n):
        return (n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1

    return [n for n in range(1, stride * o + dilation * kernel + 1) if rows(n) == o]


# %% 1 right: a range
def sources(o, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1 - 2 * padding
    return range(max(1, stride * (o - 1) + reach), max(1, stride * o + reach))


# %% 2 wrong: hard-coded stride 1 and no padding | C is (9, 25), expected (25, 25)
def matrix(kernel, n, stride, padding):
    k = len(kernel)
    rows = []
    for i, j in np.ndindex(n - k + 1, n - k + 1):
        row = np.zeros((n, n))
        row[i : i + k, j : j + k] = kernel
        rows.append(row.ravel())
    return np.array(rows)


# %% 2 wrong: columns for the padding too | C is (25, 49), expected (25, 25)
def matrix(kernel, n, stride, padding):
    k, wide = len(kernel), n + 2 * padding
    rows = []
    for i, j in np.ndindex((wide - k) // stride + 1, (wide - k) // stride + 1):
        row = np.zeros((wide, wide))
        row[stride * i : stride * i + k, stride * j : stride * j + k] = kernel
        rows.append(row.ravel())
    return np.array(rows)


# %% 2 wrong: the kernel turned | Cx is not what Conv2D gives
def matrix(kernel, n, stride, padding):
    k, wide = len(kernel), n + 2 * padding
    rows = []
    for i, j in np.ndindex((wide - k) // stride + 1, (wide - k) // stride + 1):
        row = np.zeros((wide, wide))
        row[stride * i : stride * i + k, stride * j : stride * j + k] = kernel[::-1, ::-1]
        rows.append(row[padding : padding + n, padding : padding + n].ravel())
    return np.array(rows)


# %% 2 wrong: stride counts outputs but doesn't move the kernel | or a row that starts elsewhere
def matrix(kernel, n, stride, padding):
    k, wide = len(kernel), n + 2 * padding
    rows = []
    for i, j in np.ndindex((wide - k) // stride + 1, (wide - k) // stride + 1):
        row = np.zeros((wide, wide))
        row[i : i + k, j : j + k] = kernel
        rows.append(row[padding : padding + n, padding : padding + n].ravel())
    return np.array(rows)


# %% 2 wrong: transposed | C is (16, 4), expected (4, 16)
def matrix(kernel, n, stride, padding):
    eye = np.eye(n * n).reshape(-1, n, n)
    return np.array([layer(nn.Conv2D, kernel, strides=stride, padding=padding)(x).ravel() for x in eye])


# %% 2 wrong: the size rounded up | C is (16, 36), expected (9, 36)
def matrix(kernel, n, stride, padding):
    k = len(kernel)
    m = -(-(n + 2 * padding - k) // stride) + 1
    rows = []
    for i, j in np.ndindex(m, m):
        row = np.zeros((n + 2 * padding + stride, n + 2 * padding + stride))
        row[stride * i : stride * i + k, stride * j : stride * j + k] = kernel
        rows.append(row[padding : padding + n, padding : padding + n].ravel())
    return np.array(rows)


# %% 2 right: each column is what one pixel makes
def matrix(kernel, n, stride, padding):
    conv = layer(nn.Conv2D, kernel, strides=stride, padding=padding)
    return np.stack([conv(pixel.reshape(n, n)).ravel() for pixel in np.eye(n * n)], axis=1)


# %% 2 right: number by number
def matrix(kernel, n, stride, padding):
    k = len(kernel)
    m = (n + 2 * padding - k) // stride + 1
    entries = np.zeros((m, m, n, n))
    for i, j, a, b in np.ndindex(m, m, k, k):
        r, c = stride * i + a - padding, stride * j + b - padding
        if 0 <= r < n and 0 <= c < n:
            entries[i, j, r, c] = kernel[a, b]
    return entries.reshape(m * m, n * n)


# %% 3 wrong: hard-coded | are numbers compared
def is_transpose(f, g, x_shape, y_shape):
    return True


# %% 3 wrong: hard-coded shapes | this is the transpose
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape not in ((6, 6), (12, 12)) or gy.shape != tuple(x_shape):
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y):
            return False
    return True


# %% 3 wrong: only shapes compared | are numbers compared
def is_transpose(f, g, x_shape, y_shape):
    return f(np.zeros(x_shape)).shape == y_shape and g(np.zeros(y_shape)).shape == x_shape


# %% 3 wrong: returns in the first round of the loop | do you try ten
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        return abs((fx * y).sum() - (x * gy).sum()) < 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y)


# %% 3 wrong: five pairs | wrong for the tenth
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(5):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y):
            return False
    return True


# %% 3 wrong: shapes not compared | before you compute
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y):
            return False
    return True


# %% 3 wrong: sizes compared, not shapes | compare shapes, not sizes
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.size != y.size or gy.size != x.size:
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y):
            return False
    return True


# %% 3 wrong: a fixed bound | large numbers too
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-4:
            return False
    return True


# %% 3 wrong: a wide fixed bound | small numbers too
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 0.25:
            return False
    return True


# %% 3 wrong: equal to the last bit | is the transpose
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.normal(size=x_shape), np.random.normal(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape) or (fx * y).sum() != (x * gy).sum():
            return False
    return True


# %% 3 wrong: compared with the sums, which positive numbers keep away from 0 | compare with lengths, not with sums
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.uniform(size=x_shape), np.random.uniform(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        if not np.isclose((fx * y).sum(), (x * gy).sum()):
            return False
    return True


# %% 3 right: positive numbers
def is_transpose(f, g, x_shape, y_shape):
    for _ in range(10):
        x, y = np.random.uniform(size=x_shape), np.random.uniform(size=y_shape)
        fx, gy = f(x), g(y)
        if fx.shape != tuple(y_shape) or gy.shape != tuple(x_shape):
            return False
        if abs((fx * y).sum() - (x * gy).sum()) > 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y):
            return False
    return True


# %% 3 right: all pairs first, dot products of flat arrays
def is_transpose(f, g, x_shape, y_shape):
    rng, faults = np.random.RandomState(7), []
    for _ in range(10):
        x, y = rng.uniform(-1, 1, x_shape), rng.uniform(-1, 1, y_shape)
        fx, gy = np.asarray(f(x)), np.asarray(g(y))
        if [fx.shape, gy.shape] != [y.shape, x.shape]:
            return False
        bound = 1e-5 * np.linalg.norm(fx) * np.linalg.norm(y)
        faults.append(abs(np.dot(fx.ravel(), y.ravel()) - np.vdot(x, gy)) > bound)
    return not np.any(faults)


# %% 4 wrong: hard-coded settings | input 2 × 3, kernel 3, stride 1, padding 0
def by_convolution(x, kernel, stride, padding):
    spread = np.zeros((2 * len(x) - 1, 2 * x.shape[1] - 1))
    spread[::2, ::2] = x
    return layer(nn.Conv2D, kernel[::-1, ::-1])(np.pad(spread, len(kernel) - 2))


# %% 4 wrong: a transposed convolution | use no transposed convolution
def by_convolution(x, kernel, stride, padding):
    return layer(nn.Conv2DTranspose, kernel, strides=stride, padding=padding)(x)


# %% 4 wrong: a transposed convolution by its operator | use no transposed convolution
def by_convolution(x, kernel, stride, padding):
    x, w = (nd.array(a).reshape((1, 1, *a.shape)) for a in (x, kernel))
    k, s, p = (kernel.shape, (stride, stride), (padding, padding))
    return nd.Deconvolution(x, w, kernel=k, stride=s, pad=p, num_filter=1, no_bias=True)[0, 0]


# %% 4 wrong: the kernel not turned | is the kernel turned by 180°
def by_convolution(x, kernel, stride, padding):
    spread = np.zeros((stride * (len(x) - 1) + 1, stride * (x.shape[1] - 1) + 1))
    spread[::stride, ::stride] = x
    return layer(nn.Conv2D, kernel)(np.pad(spread, len(kernel) - 1 - padding))


# %% 4 wrong: the kernel transposed in place of turned | is the kernel turned by 180°
def by_convolution(x, kernel, stride, padding):
    spread = np.zeros((stride * (len(x) - 1) + 1, stride * (x.shape[1] - 1) + 1))
    spread[::stride, ::stride] = x
    return layer(nn.Conv2D, kernel.T)(np.pad(spread, len(kernel) - 1 - padding))


# %% 4 wrong: zeros behind the last row too | how many zeros round it
def by_convolution(x, kernel, stride, padding):
    spread = np.zeros((stride * len(x), stride * x.shape[1]))
    spread[::stride, ::stride] = x
    return layer(nn.Conv2D, kernel[::-1, ::-1])(np.pad(spread, len(kernel) - 1 - padding))


# %% 4 wrong: the padding itself round the input | how many zeros round it
def by_convolution(x, kernel, stride, padding):
    spread = np.zeros((stride * (len(x) - 1) + 1, stride * (x.shape[1] - 1) + 1))
    spread[::stride, ::stride] = x
    return layer(nn.Conv2D, kernel[::-1, ::-1])(np.pad(spread, max(padding, len(kernel) - 1)))


# %% 4 wrong: the chapter's stamps | and convolve, no stamps
def by_convolution(x, kernel, stride, padding):
    (h, w), k = x.shape, len(kernel)
    out = np.zeros((stride * (h - 1) + k, stride * (w - 1) + k))
    for i, j in np.ndindex(h, w):
        out[stride * i : stride * i + k, stride * j : stride * j + k] += x[i, j] * kernel
    return out[padding : len(out) - padding, padding : out.shape[1] - padding]


# %% 4 right: its own convolution, kernel turned by rot90
def by_convolution(x, kernel, stride, padding):
    (h, w), k = x.shape, len(kernel)
    border = k - 1 - padding
    wide = np.zeros((stride * (h - 1) + 1 + 2 * border, stride * (w - 1) + 1 + 2 * border))
    for i, j in np.ndindex(h, w):
        wide[border + stride * i, border + stride * j] = x[i, j]
    windows = np.lib.stride_tricks.sliding_window_view(wide, (k, k))
    return np.einsum("ijab,ab->ij", windows, np.rot90(kernel, 2))


# %% 4 right: the layer's padding in place of np.pad
def by_convolution(x, kernel, stride, padding):
    spread = np.kron(x, np.eye(1, stride * stride).reshape(stride, stride))
    spread = spread[: spread.shape[0] - stride + 1, : spread.shape[1] - stride + 1]
    return nd.array(layer(nn.Conv2D, np.flip(kernel), padding=len(kernel) - 1 - padding)(spread))


# %% 4 right: row by row in plain Python
def by_convolution(x, kernel, stride, padding):
    (h, w), k = x.shape, len(kernel)
    b = k - 1 - padding
    wide = [[0] * (stride * (w - 1) + 1 + 2 * b) for _ in range(stride * (h - 1) + 1 + 2 * b)]
    for i, j in np.ndindex(h, w):
        wide[b + stride * i][b + stride * j] = x[i, j]
    return [
        [
            sum(wide[i + a][j + c] * kernel[k - 1 - a, k - 1 - c] for a in range(k) for c in range(k))
            for j in range(len(wide[0]) - k + 1)
        ]
        for i in range(len(wide) - k + 1)
    ]


# %% 4 right: a convolution for each phase
def by_convolution(x, kernel, stride, padding):
    (h, w), k = x.shape, len(kernel)
    out = np.zeros((stride * (h - 1) + k + stride, stride * (w - 1) + k + stride))
    for r, c in np.ndindex(min(stride, k), min(stride, k)):
        part = kernel[r::stride, c::stride]
        a, b = part.shape
        wide = np.pad(x, ((a - 1, a - 1), (b - 1, b - 1)))
        y = layer(nn.Conv2D, part[::-1, ::-1])(wide)
        out[r : r + stride * len(y) : stride, c : c + stride * y.shape[1] : stride] = y
    return out[padding : stride * (h - 1) + k - padding, padding : stride * (w - 1) + k - padding]


# %% 4 right: a convolution by np.fft
def by_convolution(x, kernel, stride, padding):
    (h, w), k = x.shape, len(kernel)
    b = k - 1 - padding
    spread = np.zeros((stride * (h - 1) + 1, stride * (w - 1) + 1))
    spread[::stride, ::stride] = x
    wide = np.pad(spread, b)
    size = [n + k for n in wide.shape]
    full = np.fft.irfft2(np.fft.rfft2(wide, size) * np.fft.rfft2(kernel, size), size)
    return full[k - 1 : wide.shape[0], k - 1 : wide.shape[1]]


# %% 5 wrong: hard-coded, all weights the same | multiplied by the same number
def even_out(kernel, stride):
    even = np.zeros(kernel.shape)
    for r, c in np.ndindex(stride, stride):
        even[r::stride, c::stride] = 1 / even[r::stride, c::stride].size
    return even


# %% 5 wrong: hard-coded stride 2 | kernel 5 of float64, stride 3
def even_out(kernel, stride):
    kernel = np.array(kernel, float)
    for r, c in np.ndindex(2, 2):
        kernel[r::2, c::2] /= kernel[r::2, c::2].sum()
    return kernel


# %% 5 wrong: the whole kernel divided at once | expected 1 everywhere
def even_out(kernel, stride):
    return kernel * stride**2 / kernel.sum()


# %% 5 wrong: in place | work on a copy
def even_out(kernel, stride):
    for r, c in np.ndindex(stride, stride):
        kernel[r::stride, c::stride] /= kernel[r::stride, c::stride].sum()
    return kernel


# %% 5 wrong: blocks in place of phases | expected 1 everywhere
def even_out(kernel, stride):
    kernel = np.array(kernel, float)
    for r in range(0, len(kernel), stride):
        for c in range(0, len(kernel), stride):
            kernel[r : r + stride, c : c + stride] /= kernel[r : r + stride, c : c + stride].sum()
    return kernel


# %% 5 wrong: each phase's mean made 1 | expected 1 everywhere
def even_out(kernel, stride):
    kernel = np.array(kernel, float)
    for r, c in np.ndindex(stride, stride):
        kernel[r::stride, c::stride] /= kernel[r::stride, c::stride].mean()
    return kernel


# %% 5 wrong: whole numbers cut off | kernel 4 of int64, stride 2
def even_out(kernel, stride):
    kernel = kernel.copy()
    for r, c in np.ndindex(stride, stride):
        kernel[r::stride, c::stride] = kernel[r::stride, c::stride] / kernel[r::stride, c::stride].sum()
    return kernel


# %% 5 wrong: whole numbers divided in place | make it float before you divide
def even_out(kernel, stride):
    kernel = kernel.copy()
    for r, c in np.ndindex(stride, stride):
        kernel[r::stride, c::stride] /= kernel[r::stride, c::stride].sum()
    return kernel


# %% 5 right: each weight over the sum of its phase
def even_out(kernel, stride):
    k = len(kernel)
    sums = np.zeros((stride, stride))
    for r, c in np.ndindex(k, k):
        sums[r % stride, c % stride] += kernel[r, c]
    return [[kernel[r, c] / sums[r % stride, c % stride] for c in range(k)] for r in range(k)]


# %% 5 right: what a flat map becomes, divided by
def even_out(kernel, stride):
    k = len(kernel)
    flat = layer(nn.Conv2DTranspose, kernel, strides=stride)(np.ones((2 * k, 2 * k))).astype(float)
    middle = k * stride  # the first pixel of a phase, away from the border
    period = flat[middle : middle + stride, middle : middle + stride]
    return kernel / np.tile(period, (k, k))[:k, :k]
