# %% 1 wrong: hard-coded at one point | at (1, 5) it gives [12.0, 9.0]
by_hand = [12, 9]


def by_machine(point):
    return nd.array([12, 9])


# %% 1 wrong: derived by x₂ only | f(x) = x₁² · x₂ rises by
by_hand = [9, 9]


def by_machine(point):
    return nd.array([9, 9])


# %% 1 wrong: x₁ derived as if it stood alone | by_hand is [6, 9], by_machine gives [12.0, 9.0]
by_hand = [6, 9]


def by_machine(point):
    point.attach_grad()
    with autograd.record():
        f = point[0] ** 2 * point[1]
    f.backward()
    return point.grad


# %% 1 wrong: the value in place of the gradient | not f itself
by_hand = [12, 9]


def by_machine(point):
    return point[0] ** 2 * point[1]


# %% 1 wrong: attach_grad forgotten | x.attach_grad() first
by_hand = [12, 9]


def by_machine(point):
    with autograd.record():
        f = point[0] ** 2 * point[1]
    f.backward()
    return point.grad


# %% 1 wrong: nothing recorded | f inside autograd.record()
by_hand = [12, 9]


def by_machine(point):
    point.attach_grad()
    f = point[0] ** 2 * point[1]
    f.backward()
    return point.grad


# %% 1 wrong: NumPy | an NDArray of two numbers
by_hand = [12, 9]


def by_machine(point):
    point.attach_grad()
    with autograd.record():
        f = point[0] ** 2 * point[1]
    f.backward()
    return point.grad.asnumpy()


# %% 1 wrong: nothing returned | an NDArray of two numbers
by_hand = [12, 9]


def by_machine(point):
    point.attach_grad()
    with autograd.record():
        f = point[0] ** 2 * point[1]
    f.backward()


# %% 1 right: by slices, from a copy
by_hand = (2 * 3 * 2, 3**2)


def by_machine(point):
    x = nd.array(point.asnumpy())
    x.attach_grad()
    with autograd.record():
        f = nd.prod(nd.concat(x[:1], x, dim=0))
    f.backward()
    return x.grad.copy()


# %% 2 wrong: hard-coded size | for a picture of 6 × 4
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).reshape((1, 3, 4, 6)) / 255


def from_net(batch):
    return (batch.reshape((3, 4, 6)).transpose((1, 2, 0)) * 255).round().astype("uint8")


# %% 2 wrong: reshape in place of transpose | did you reshape in place of transpose
def to_net(picture):
    return picture.astype("float32").reshape((1, 3, *picture.shape[:2])) / 255


def from_net(batch):
    return (batch.reshape((*batch.shape[2:], 3)) * 255).round().astype("uint8")


# %% 2 wrong: the batch forgotten | then add the batch
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)) / 255


def from_net(batch):
    return (batch.transpose((1, 2, 0)) * 255).round().astype("uint8")


# %% 2 wrong: times 254 on the way back | of 72 numbers come back wrong
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).expand_dims(0) / 255


def from_net(batch):
    return (batch[0].transpose((1, 2, 0)) * 254).astype("uint8")


# %% 2 wrong: NumPy | to_net returns a ndarray
def to_net(picture):
    return picture.asnumpy().transpose((2, 0, 1))[None].astype(np.float32) / 255


def from_net(batch):
    return nd.array((batch[0].transpose((1, 2, 0)) * 255).round(), dtype="uint8")


# %% 2 wrong: NumPy on the way back | from_net returns a ndarray
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).expand_dims(0) / 255


def from_net(batch):
    return (batch[0].transpose((1, 2, 0)) * 255).round().astype("uint8").asnumpy()


# %% 2 wrong: divided as whole numbers | uint8, expected float32: astype first
def to_net(picture):
    return (picture / 255).transpose((2, 0, 1)).expand_dims(0)


def from_net(batch):
    return (batch[0].transpose((1, 2, 0)) * 255).astype("uint8")


# %% 2 wrong: not divided | expected up to 1: divide by 255
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).expand_dims(0)


def from_net(batch):
    return batch[0].transpose((1, 2, 0)).astype("uint8")


# %% 2 wrong: the way back left as float | float32, expected (4, 6, 3), uint8
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).expand_dims(0) / 255


def from_net(batch):
    return (batch[0].transpose((1, 2, 0)) * 255).round()


# %% 2 right: nothing rounded, as no number needs it
def to_net(picture):
    return picture.astype("float32").transpose((2, 0, 1)).expand_dims(0) / 255


def from_net(batch):
    return (batch[0].transpose((1, 2, 0)) * 255).astype("uint8")


# %% 2 right: by swapping axes one after the other, and adding a half
def to_net(picture):
    return nd.stack(*(picture[:, :, c] for c in range(3))).astype("float32").expand_dims(0) * (1 / 255)


def from_net(batch):
    red, green, blue = batch[0]
    return nd.floor(nd.stack(red, green, blue, axis=2) * 255 + 0.5).astype("uint8")


# %% 3 wrong: hard-coded formula | there is nothing to train
class Parabola(gluon.Block):
    def forward(self, x):
        return 2 * x * x + 1


net = Parabola()

# %% 3 wrong: no activation, so a line | is there an activation
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(16), gluon.nn.Dense(1))
net.initialize(init.Xavier())
loss = gluon.loss.L2Loss()
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05})
for _ in range(300):
    with autograd.record():
        losses = loss(net(x), y)
    losses.backward()
    trainer.step(len(x))

# %% 3 wrong: never trained | train longer
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(16, activation="tanh"), gluon.nn.Dense(1))
net.initialize(init.Xavier())

# %% 3 wrong: tanh after the chapter's number of steps | 5,000 with tanh
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(8, activation="tanh"), gluon.nn.Dense(1))
net.initialize(init.Xavier())
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
for _ in range(100):
    with autograd.record():
        losses = gluon.loss.L2Loss()(net(x), y)
    losses.backward()
    trainer.step(len(x))


# %% 3 wrong: averaged twice, as question 4's friend does | averaged twice, by mean()
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(8, activation="relu"), gluon.nn.Dense(1))
net.initialize(init.Xavier())
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
for _ in range(200):
    with autograd.record():
        losses = gluon.loss.L2Loss()(net(x), y).mean()
    losses.backward()
    trainer.step(len(x))


# %% 3 wrong: steps too large | the error is nan
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(16, activation="relu"), gluon.nn.Dense(1))
net.initialize(init.Xavier())
loss = gluon.loss.L2Loss()
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 10})
for _ in range(300):
    with autograd.record():
        losses = loss(net(x), y)
    losses.backward()
    trainer.step(1)


# %% 3 right: the chapter's own loop, 200 steps
net = gluon.nn.HybridSequential()
net.add(gluon.nn.Dense(8, activation="relu"), gluon.nn.Dense(1))
net.initialize(init.Xavier())
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
for _ in range(200):
    with autograd.record():
        losses = gluon.loss.L2Loss()(net(x), y)
    losses.backward()
    trainer.step(len(x))


# %% 3 right: its own steps of sgd, a sigmoid, and a Block
class Net(gluon.Block):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = gluon.nn.Dense(20, activation="relu"), gluon.nn.Dense(1)

    def forward(self, x):
        return self.out(self.hidden(x))


net = Net()
net.initialize(init.Xavier())
for _ in range(2000):
    with autograd.record():
        loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    for parameter in net.collect_params().values():
        parameter.set_data(parameter.data() - 0.1 * parameter.grad())

# %% 4 wrong: hard-coded guess | your step divided by
times_smaller = 2

# %% 4 wrong: smaller turned round | your step divided by the friend's
times_smaller = 1 / 40

# %% 4 wrong: both divisions counted | what are first_step
times_smaller = 40 * 40

# %% 4 wrong: a function in place of a number | should be a number
times_smaller = first_step

# %% 4 right: measured
times_smaller = first_step(average=False) / first_step(average=True)
