! SPDX-License-Identifier: BSD-3-Clause
! What Fortran programs mostly are, on N x N doubles: grids MODE N, until killed.
!
!   jacobi   means of four neighbours, from one grid to another and back
!   deposit  adds to a place at random of a grid, as particles do to the cells that they are in
!   rowwise  scales a grid along the dimension that is not contiguous, the classical slip
!
! Nothing here is shared with kernels/, on which `xbound classify` may be tuned.
program grids
    implicit none
    character(len=16) :: mode, text
    integer :: n, status

    call get_command_argument(1, mode)
    call get_command_argument(2, text)
    read (text, *, iostat=status) n
    if (status /= 0 .or. n < 3 .or. n > 20000) mode = '?'
    select case (mode)
    case ('jacobi')
        call jacobi(n)
    case ('deposit')
        call deposit(n)
    case ('rowwise')
        call rowwise(n)
    case default
        write (0, *) 'Usage: grids jacobi|deposit|rowwise N'
        stop 2
    end select

contains

    subroutine relax(n, from, to)
        integer, intent(in) :: n
        double precision, intent(in) :: from(n, n)
        double precision, intent(inout) :: to(n, n)
        integer :: i, j
        do j = 2, n - 1
            !GCC$ ivdep
            do i = 2, n - 1
                to(i, j) = 0.25d0 * (from(i - 1, j) + from(i + 1, j) + from(i, j - 1) + from(i, j + 1))
            end do
        end do
    end subroutine

    subroutine jacobi(n)
        integer, intent(in) :: n
        double precision, allocatable :: a(:, :), b(:, :)
        allocate (a(n, n), b(n, n))
        a = 0
        b = 0
        a(1, :) = 1
        b(1, :) = 1
        do
            call relax(n, a, b)
            call relax(n, b, a)
        end do
    end subroutine

    subroutine deposit(n)
        integer, intent(in) :: n
        double precision, allocatable :: cell(:)
        integer(8) :: x, cells
        integer :: i
        cells = int(n, 8) * n
        allocate (cell(0:cells - 1))
        cell = 0
        x = 1
        do
            do i = 1, 1000000
                x = iand(x * 1103515245_8 + 12345_8, 2147483647_8)
                cell(shiftr(x * cells, 31)) = cell(shiftr(x * cells, 31)) + 1
            end do
            if (cell(shiftr(x * cells, 31)) < 1) stop 1 ! or the compiler would leave all of it out
        end do
    end subroutine

    subroutine rowwise(n)
        integer, intent(in) :: n
        double precision, allocatable :: a(:, :)
        integer :: i, j
        allocate (a(n, n))
        a = 1
        do
            do i = 1, n
                do j = 1, n
                    a(i, j) = a(i, j) * 1.0000001d0
                end do
            end do
            if (a(n, 1) < 1) stop 1 ! or the compiler would leave all of it out
        end do
    end subroutine
end program
