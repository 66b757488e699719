struct Base {
    Base();
    virtual void action() = 0;
    virtual ~Base() {}
};
void act(Base &b);
Base::Base() { act(*this); }
